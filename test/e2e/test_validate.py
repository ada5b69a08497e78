#!/usr/bin/env python3
"""Validation at length: chips known by their figures alone, many questions, numbers fitted again."""
import csv
import json
import os
import random
import resource
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from silex import ROOT, SILEX, Case, run  # noqa: E402

MEASURED = os.path.join(ROOT, "data", "measured", "aiconfigurator")
FIT = os.path.join(os.path.dirname(SILEX), "tools", "fit", "fit")
# Published figures, as in chips/: what somebody would type who has no file.
FIGURES = {
    "a100": dict(units=108, clock_ghz=1.41, bf16_tflops=312, mem_gb_s=2039, cache_mib=40),
    "h100": dict(units=132, clock_ghz=1.83, bf16_tflops=989, mem_gb_s=3350, cache_mib=50),
    "h200": dict(units=132, clock_ghz=1.83, bf16_tflops=989, mem_gb_s=4800, cache_mib=50),
    "b200": dict(units=148, clock_ghz=1.85, bf16_tflops=2250, mem_gb_s=8000, cache_mib=126),
    "l40s": dict(units=142, clock_ghz=2.52, bf16_tflops=362, mem_gb_s=864, cache_mib=96),
}
FILES = {"a100": "gemm_a100_sxm.csv", "h100": "gemm_h100_sxm.csv", "h200": "gemm_h200_sxm_power.csv",
         "b200": "gemm_b200_sxm_power.csv", "l40s": "gemm_l40s.csv"}


def answers(questions):
    code, out, err = run("validate", "--queries", "-", stdin="".join(json.dumps(q) + "\n" for q in questions))
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


class ByFiguresAlone(Case):
    """The family's numbers come from other chips than the one asked for."""

    def check(self, chip, family, bar):
        with open(os.path.join(MEASURED, FILES[chip]), encoding="ascii") as f:
            rows = [r for r in csv.DictReader(f) if r["dtype"] == "bfloat16"]
        spec = dict(FIGURES[chip], family=family)
        got = answers(dict(id=str(i), kind="gemm", chip="a-chip-without-a-file", chip_spec=spec, dtype="bf16",
                           m=int(r["m"]), n=int(r["n"]), k=int(r["k"])) for i, r in enumerate(rows))
        errors = [a["value"] / float(r["latency_ms"]) - 1 for a, r in zip(got, rows)]
        inside = sum(a["low"] <= float(r["latency_ms"]) <= a["high"] for a, r in zip(got, rows)) / len(rows)
        self.assertGreater(len(rows), 1000)
        self.assertLess(sum(map(abs, errors)) / len(errors), bar, f"{chip} by {family}")
        self.assertGreater(inside, 0.85, f"{chip} by {family}")

    def test_neighbour_families(self):
        self.check("b200", "nvidia-hopper", 0.15)
        self.check("h100", "nvidia-hopper", 0.10)  # its file has the numbers of H200
        self.check("h200", "nvidia-blackwell", 0.15)
        self.check("a100", "nvidia-hopper", 0.20)

    def test_generic(self):
        for chip in FIGURES:
            self.check(chip, "nobody-knows", 0.25)


class Many(Case):
    def test_a_hundred_thousand(self):
        rng = random.Random(1)
        path = self.file("q.jsonl", "".join(
            f'{{"id":"{i}","kind":"gemm","chip":"{rng.choice(["h100", "b200", "a100", "l40s"])}",'
            f'"m":{rng.randint(1, 16384)},"n":{rng.randint(32, 65536)},"k":{rng.randint(32, 65536)},'
            f'"dtype":"{rng.choice(["bf16", "fp8"])}"}}\n'
            for i in range(100000)))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        first = self.ok("validate", "--queries", path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertLess(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 10)
        self.assertEqual(first, self.ok("validate", "--queries", path))
        self.assertEqual([json.loads(x)["id"] for x in first.splitlines()], [str(i) for i in range(100000)])


@unittest.skipUnless(os.access(FIT, os.X_OK), "tools/fit is not built: make fit")
class Fit(Case):
    def test_finds_the_numbers_behind_the_rows(self):
        """Times that one chip's numbers give, told as another's: the fit, which starts from those, must find them."""
        sizes = [2 ** e for e in range(8, 28)]
        ops = ["all_reduce", "all_gather", "reduce_scatter", "alltoall"]
        rows = [(op, n, size) for op in ops for n in (2, 4, 8) for size in sizes]
        got = answers(dict(id="x", kind="collective", chip="h200", op=op, n_chips=n, bytes=2 * size)
                      for op, n, size in rows)
        os.mkdir(os.path.join(self.dir, "aiconfigurator"))
        head = "op_name,kernel_source,dtype,num_gpus,message_size,latency_ms\n"
        self.file("aiconfigurator/nccl_h100_sxm.csv", head + "".join(
            f"{op},NCCL,half,{n},{size},{a['value']}\n" for (op, n, size), a in zip(rows, got)))
        before = json.loads(self.ok("validate", "nccl-h100", "--data", self.dir, "--json"))["sets"][0]["mape"]
        fit = [FIT, self.dir, "h100", "nccl"]
        out = subprocess.run(fit, capture_output=True, text=True, cwd=ROOT, check=True).stdout
        after = float(out.split(" test ")[1].split()[0]) / 100
        self.assertGreater(before, 0.03)
        self.assertLess(after, 0.015)


if __name__ == "__main__":
    unittest.main()
