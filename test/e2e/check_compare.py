#!/usr/bin/env python3
"""silex compare: figures that must hang together, what is not told, what-ifs, refusals."""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from silex import ROOT, Case  # noqa: E402

KEYS = ("ttft_s", "tpot_s", "tok_s_user", "tok_s_chip", "energy_j_per_token", "usd_per_mtok", "power_w", "bound_by")


class Compare(Case):
    def compare(self, *args):
        out = self.ok("compare", *args, "--json")
        self.assertEqual(out.count("\n"), 1)
        return json.loads(out)

    def chip(self, *args):
        return self.compare(*args)["chips"][0]

    def test_figures_hang_together(self):
        j = self.compare("smollm2-135m", "silex-1", "h100", "b200", "a100", "tpu-v4", "--max-batch", 16)
        self.assertEqual(j["model"], "smollm2-135m")
        self.assertEqual([c["chip"] for c in j["chips"]], ["silex-1", "h100", "b200", "a100", "tpu-v4"])
        self.assertEqual([c["timed_by"] for c in j["chips"]], ["program"] + 4 * ["library"])
        for c in j["chips"]:
            for key in KEYS:
                self.assertIsNotNone(c[key], f"{c['chip']}: {key}")
            self.assertEqual(c["batch"], 1)
            self.assertAlmostEqual(c["tok_s_user"] * c["tpot_s"], 1, places=4)
            self.assertAlmostEqual(c["tok_s_chip"] * c["tp"] * c["tpot_s"], 1, places=4)
            self.assertAlmostEqual(c["energy_j_per_token"] / (c["power_w"] * c["tp"] * c["tpot_s"]), 1, places=3)
            # dollars of an hour over the tokens of an hour
            hour = c["usd_per_hour"] * c["tp"] * c["tpot_s"] / 3600 * 1e6
            self.assertAlmostEqual(c["usd_per_mtok"] / hour, 1, places=4)
            self.assertAlmostEqual(sum(p["seconds"] for p in c["tpot_parts"]) / c["tpot_s"], 1, places=3)
            for key in ("ttft", "tpot"):
                self.assertLess(c[key + "_low_s"], c[key + "_s"])
                self.assertLess(c[key + "_s"], c[key + "_high_s"])
            t = c["targets"][0]
            self.assertEqual(t["target_tpot_s"], 0.02)
            self.assertLessEqual(t["tpot_s"], 0.02)
            self.assertGreaterEqual(t["tok_s_chip"], c["tok_s_chip"])
            self.assertLess(t["usd_per_mtok"], c["usd_per_mtok"])

    def test_no_faster_than_memory(self):
        """A token reads every weight but the embedding's rows once: 7.5e9 bytes at 3.35 TB/s are 2.24 ms."""
        h100 = self.chip("llama-3.1-8b", "h100", "--no-target")
        self.assertGreater(h100["tpot_s"], 2.24e-3)
        self.assertEqual(h100["targets"], [])
        wide = self.chip("llama-3.1-8b", "h100", "-w", 16, "--kv", 16, "--no-target")
        self.assertGreater(wide["tpot_s"], 4.48e-3)
        self.assertEqual((wide["weights"], wide["kv_cache"]), ("bf16", "bf16"))

    def test_fewest_chips(self):
        """70.6e9 weights of two bytes need two H100 of 80 GiB, of which 0.9 are usable; of one byte, one."""
        self.assertEqual(self.chip("llama-3.1-70b", "h100", "-w", 16, "--no-target")["tp"], 2)
        self.assertEqual(self.chip("llama-3.1-70b", "h100", "-w", 8, "--no-target")["tp"], 1)
        self.assertEqual(self.chip("llama-3.1-70b", "h100", "-w", 8, "--tp", 4, "--no-target")["tp"], 4)

    def test_what_cannot_be_told_has_a_reason(self):
        chips = ("groq-lpu", "taalas-hc1", "tpu-v6e", "mtia-500")
        by = {c["chip"]: c for c in self.compare("llama-3.1-8b", *chips)["chips"]}
        for name, says in (("groq-lpu", "chips would hold it"), ("taalas-hc1", "not published")):
            for key in KEYS:
                self.assertIsNone(by[name][key])
                self.assertIn(says, by[name][key + "_why"])
        self.assertIsNone(by["tpu-v6e"]["usd_per_mtok"])
        self.assertIn("not published", by["tpu-v6e"]["usd_per_mtok_why"])
        self.assertIsNotNone(by["tpu-v6e"]["tpot_s"])
        self.assertIsNone(by["tpu-v6e"]["energy_j_per_token"])  # its power is not published
        self.assertIsNone(by["tpu-v6e"]["power_w"])
        self.assertEqual(by["tpu-v6e"]["inferred"], ["part.units", "part.clock_ghz"])
        self.assertEqual(self.chip("llama-3.1-8b", "h100", "--no-target")["inferred"], [])
        # no dense peak of any format; a rate of links, where two chips are asked for
        self.assertIn("bf16_tflops", self.chip("llama-3.1-8b", "wse-3", "--no-target")["tpot_s_why"])
        self.assertIn("links_gbs", self.chip("llama-3.1-8b", "inferentia2", "--tp", 2, "--no-target")["tpot_s_why"])
        other = self.chip("llama-3.2-1b", "taalas-hc1", "--no-target")
        self.assertIn("llama-3.1-8b alone", other["tpot_s_why"])
        far = self.chip("llama-3.1-8b", "l40s", "--tp", 16, "--no-target")
        self.assertIn("its links join 8", far["tpot_s_why"])
        # so many chips as were asked for, and no more
        full = self.chip("llama-3.1-405b", "h100", "-w", 16, "--tp", 1, "--no-target")
        self.assertIsNone(full["tpot_s"])
        self.assertRegex(full["tpot_s_why"], r"does not fit: 812 GB .* for each of 1 chip of 77\.3 GB; about 11 chips")
        text = self.ok("compare", "llama-3.1-8b", "h100", "groq-lpu", "tpu-v6e")
        self.assertIn("\nnot told\n", text)
        self.assertRegex(text, r"(?m)^ groq-lpu +does not fit: ")

    def test_what_a_chip_is_charged_at(self):
        """Prices are beside prices: a chip whose price is not published is not the cheap one for it."""
        by = {c["chip"]: c for c in self.compare("llama-3.1-8b", "b200", "b300", "mi300x", "mi325x", "silex-1",
                                                 "--no-target")["chips"]}
        basis = {name: c["chip_usd_basis"] for name, c in by.items()}
        self.assertEqual(basis, {"b200": "price", "b300": "estimated price", "mi300x": "price",
                                 "mi325x": "estimated price", "silex-1": "unit cost"})
        self.assertGreater(by["b300"]["chip_usd"], by["b200"]["chip_usd"])
        self.assertGreater(by["mi325x"]["chip_usd"], by["mi300x"]["chip_usd"])
        self.assertGreater(by["b200"]["chip_usd_high"], 1.1 * by["b200"]["chip_usd"])
        text = self.ok("compare", "llama-3.1-8b", "b300", "silex-1", "-w", 16, "--no-target")
        self.assertRegex(text, r"(?m)^b300 .* estimated price .* bf16, fp8 ")
        self.assertRegex(text, r"(?m)^silex-1 .* unit cost .* MXINT8, MXINT8 ")
        self.assertIn("\nsilex-1 has no weights of 16 bits: MXINT8, 8.25 bits each with their scales\n", text)
        self.assertNotIn("b300 has no weights", text)
        page = self.ok("compare", "llama-3.1-8b", "b300", "--html", "-")
        self.assertIn("<td>estimated price</td>", page)
        page = self.ok("compare", "smollm2-135m", "silex-1", "-w", 16, "--max-batch", 8, "--no-target", "--html", "-")
        # no mark of the roofline is above the roof: a smaller y is higher on the page
        roofline = page.split("<figcaption>Roofline</figcaption>")[1].split("</figure>")[0]
        # 16 bits are kept as MXINT8 there, so the roof is that of 8 bits by 8: 128 tiles x 16,384 x 2 x 1.5 GHz
        self.assertIn("<title>silex-1: 10k, 6.29k", roofline)
        line = re.search(r'class="l [^>]*d="([^"]*)"', roofline)[1]
        roof = min(float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", line))
        marks = re.findall(r'cy="([\d.]+)"[^>]*><title>silex-1, ', roofline)
        self.assertGreaterEqual(len(marks), 5)
        self.assertTrue(all(float(y) > roof - 0.2 for y in marks))
        labels = re.findall(r'text-anchor="end">([^<]* \.\. [^<]*)<', page)  # of the tornado: no room for ten digits
        self.assertIn("80.0 M .. 1.00 G", labels)
        self.assertFalse([text for text in labels if re.search(r"\d{7}", text)])

    def test_what_if(self):
        base = self.chip("llama-3.1-8b", "h100", "--no-target")
        fast = self.chip("llama-3.1-8b", "h100", "--no-target", "--set", "h100:part.mem_tbs=3.8")
        self.assertLess(fast["tpot_s"], base["tpot_s"])
        cold = self.compare("llama-3.1-8b", "h100", "b200", "--no-target", "--set", "pue=2.24")["chips"]
        self.assertEqual(cold[0]["tpot_s"], base["tpot_s"])
        self.assertGreater(cold[0]["usd_per_mtok"], base["usd_per_mtok"])
        both = self.compare("llama-3.1-8b", "h100", "b200", "--no-target", "--set", "package.tdp_w=500")["chips"]
        for cool, cold_one in zip(both, cold):  # both had more; less power costs less building
            self.assertLessEqual(cool["power_w"], 500)
            self.assertLess(cool["power_w"], cold_one["power_w"])
            self.assertLess(cool["usd_per_hour"], cold_one["usd_per_hour"])
        twice = self.compare("llama-3.1-8b", "h100", "--tpot-ms", 10, "--tpot-ms", 50)["chips"][0]["targets"]
        self.assertLess(twice[0]["batch"], twice[1]["batch"])

    def test_page_on_standard_output(self):
        page = self.ok("compare", "llama-3.1-8b", "h100", "groq-lpu", "--html", "-")
        self.assertTrue(page.startswith("<!doctype html>"))
        self.assertTrue(page.endswith("</html>\n"))

    def test_refusals(self):
        def no(*args, **more):
            self.refused("compare", *args, **more)

        def what_if(text, place=None, says=()):
            no("llama-3.1-8b", "h100", "--set", text, place=f"--set {place or text}: ", says=says)
        no("llama-3.1-9b", "h100", place="llama-3.1-9b: ", says="did you mean llama-3.1-8b?")
        no("llama-3.1-8b", "h101", place="h101: ", says="did you mean h10")
        what_if("h100:part.mem_tbs", place="part.mem_tbs", says="KEY=VALUE")
        what_if("b200:part.mem_tbs=4", says="those compared")
        what_if("part.mem_tbs=fast", says="TB/s")
        what_if("part.mem_tb=4", says="did you mean part.mem_tbs?")
        what_if("pue=warm", says="a number above 0")
        what_if("pue=0.5", says="at least 1")
        what_if("utilisation=5", says="at most 1")
        no("llama-3.1-8b", "h100", "--tp", 3, place="silex compare: --tp: ",
           says="a divisor of the 32 attention heads of llama-3.1-8b, at most 32")
        no("llama-3.1-8b", "h100", "-c", 200000, place="silex compare: --context: ", says="at most 131072")
        no("llama-3.1-8b", "h100", "-p", 200000, place="silex compare: --prompt: ", says="at most 131072")
        what_if("part.mem_tbs=9", says="from each of 1024 pins")
        no("llama-3.1-8b", "h100", "--tpot-ms", "soon", place="silex compare: --tpot-ms: ", says="milliseconds")
        no("llama-3.1-8b", "h100", "--tpot-ms", 20, "--no-target", place="silex compare: --no-target: ")
        no("llama-3.1-8b", "h100", "--batch", 0, place="silex compare: --batch: ")
        no("llama-3.1-8b", "b200", "h100", "silex-1", "--set", "part.mem_tbs=7", place="--set part.mem_tbs=7: ",
           says="of HBM3")  # b200 could have it
        no("llama-3.1-8b", "silex-1", "--set", "part.mem_tbs=7", place="--set part.mem_tbs=7: ",
           says="is no key of silex-1")
        no("llama-3.1-8b", "h100", "--html", "-", "--json", place="silex compare: --html: ", says="expected a file")
        no("llama-3.1-8b", "h100", "--html", os.path.join(self.dir, "no", "such", "r.html"), place=self.dir)
        with open(os.path.join(ROOT, "chips", "h100.yaml"), encoding="utf-8") as f:
            bad = self.file("h.yaml", f.read().replace("bf16_tflops: 989", "bf16_tflops: 1979"))
        no("llama-3.1-8b", bad, place=f"{bad}:", says=["part.bf16_tflops: found 1979", "clock_ghz"])


if __name__ == "__main__":
    unittest.main()
