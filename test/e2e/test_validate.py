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


class Anything(Case):
    """Questions of every kind, most of them with nonsense in some field: one answer each, and never a crash."""

    SIZES = [1, 2, 4, 8, 16, 64, 128, 512, 1024, 4096]
    ODD = [0, 3, 65536, 10 ** 9, 10 ** 12, -1, 1.5, None, "8", True, []]
    KEYS = ("hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim "
            "vocab_size num_experts num_experts_per_tok moe_intermediate_size kv_lora_rank q_lora_rank "
            "qk_rope_head_dim qk_nope_head_dim v_head_dim sliding_window n_shared_experts "
            "first_k_dense_replace").split()
    OPS = dict(gemm="none", op="softmax layernorm gelu", attention="none", collective="all_reduce send_recv zap",
               layer="norm qkv_proj down_proj lm_head act rope qk_norm zap", step="none", serving="none")
    ASKS = ("ttft_mean ttft_p99 tpot_mean tpot_p90 e2e_p50 output_tok_s total_tok_s batch_latency "
            "chip_power_mean usd_per_mtok tok_s_per_chip").split()

    def size(self, rng):
        return rng.choice(self.ODD if rng.random() < 0.15 else self.SIZES)

    def load(self, rng):
        return rng.choice([
            dict(type="static", batch=self.size(rng)), dict(type="concurrency", n=self.size(rng)), dict(type="max"),
            dict(type="rate", req_s=rng.choice([0, 0.1, 5]), requests=rng.choice([1, 50])),
            dict(type="stages", stages=[[rng.choice([1, 5]), 5]]),
            dict(type="trace", arrival_s=[0, 1, 2], isl=[10, self.size(rng), 30], osl=[5, 6, 7]), None])

    def question(self, rng, i):
        kind = rng.choice(list(self.OPS))
        q = dict(id=str(i), kind=kind, op=rng.choice(self.OPS[kind].split()),
                 chip=rng.choice("h100 a100 b200 l40s mi300x tpu-v6e gaudi3 trainium2 wse-3 nobody".split()),
                 dtype=rng.choice("bf16 fp16 fp8 fp8_block int8 nvfp4 int8_wo int4_wo mxfp4".split()),
                 phase=rng.choice(["prefill", "decode"]), load=self.load(rng),
                 ask=rng.choice(self.ASKS) if kind == "serving" else "latency",
                 framework=rng.choice(["vLLM", "TensorRT-LLM", "llama.cpp", "nobody's"]),
                 parallel={k: self.size(rng) for k in ("tp", "pp", "dp", "attention_dp") if rng.random() < 0.4},
                 engine={k: self.size(rng) for k in ("max_num_seqs", "kv_blocks") if rng.random() < 0.4})
        q.update((k, self.size(rng)) for k in "m n k rows cols batch q_heads kv_heads head_dim q_len context n_chips "
                 "bytes tokens tp pp isl osl".split() if rng.random() < 0.9)
        if rng.random() < 0.5:
            q["model"] = rng.choice("llama-2-7b mixtral-8x7b deepseek-v3 gpt-oss-20b gpt3-175b phi-2".split())
        else:
            q["model_config"] = {k: rng.choice([1, 2, 8, 64, 128, 4096, 0, 10 ** 7, 2 ** 28])
                                 for k in self.KEYS if rng.random() < 0.75}
        return q

    def test_answers_all(self):
        rng = random.Random(3)
        lines = [json.dumps(self.question(rng, i)) for i in range(3000)]
        code, out, err = run("validate", "--queries", "-", stdin="\n".join(lines) + "\n")
        self.assertEqual(code, 2, err)
        got = [json.loads(x) for x in out.splitlines()]
        self.assertEqual([a["id"] for a in got], [str(i) for i in range(3000)])
        told = [a for a in got if a["value"] is not None]
        self.assertGreater(len(told), 500)
        for a in told:
            self.assertTrue(0 < a["low"] <= a["value"] <= a["high"], a)
        self.assertTrue(all(a.get("why") for a in got if a["value"] is None))


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
