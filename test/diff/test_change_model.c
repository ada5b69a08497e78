/* fast runs the program, on the default model: 200 one-word changes of its program that verify, and changed parameters
 * with all the words that follow. Two processes share the work. Skipped without the model file. */
#include "change.h"

#include <sys/wait.h>

static const char path[] = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
enum { WORDS = 100, PARAMS = 25, PROCESSES = 2 };

/* One process's share; its exit code. */
static int share(uint64_t seed)
{
    slx_err err = {0};
    slx_chip *chip;
    slx_model *m;
    slx_program p;
    slx_compile_options o = {
        .max_rows = 16, .max_samples = 4, .max_seqs = 2, .max_pages = 2, .max_context = 256};
    if (slx_chip_load(&chip, "silex-1", &err) != SLX_OK ||
        slx_model_open(&m, path, &err) != SLX_OK ||
        slx_compile(&p, m, chip, &o, NULL, NULL, &err) != SLX_OK) {
        print_error("%s\n", err.msg);
        return 1;
    }
    /* A step takes one of two ways: words of the other would show nothing. test_change goes both ways. */
    uint8_t *runs = slx_xcalloc(p.n_insns, 1);
    change_case c = {.model = m, .chip = chip, .prompt = 2, .mark = runs};
    change_result before = change_run(&p, &c, SLX_MACHINE_STRICT);
    c.mark = NULL;
    c.runs = runs;
    change_result fast = change_run(&p, &c, SLX_MACHINE_FAST);
    uint32_t bad = !fast.fused || fast.logits != before.logits || fast.kv != before.kv;
    change_counts words = {0}, params = {0};
    slx_rng r = {seed};
    while (words.verified - words.illegal < WORDS && words.tried < 20000)
        bad += !change_word(&p, &r, &c, &before, &words);
    while (params.verified - params.illegal < PARAMS && params.tried < 2000) {
        uint32_t i = slx_rng_below(&r, p.n_spans), j = slx_rng_below(&r, p.spans[i].n_param);
        bad += !change_param(&p, i, j, change_value(p.spans[i].param[j], &p.spans[i], &r), &c,
                             &before, &params);
    }
    const change_counts *n[2] = {&words, &params};
    for (int k = 0; k < 2; k++)
        print_message(
            "%s: %u tried, %u verified, %u ran, %u faulted, %u illegal, %u differed, %u fused\n",
            k ? "parameters" : "words", n[k]->tried, n[k]->verified, n[k]->ran, n[k]->faulted,
            n[k]->illegal, n[k]->differed, n[k]->fused);
    bad += words.verified - words.illegal < WORDS || words.fused || words.differed < WORDS / 5;
    free(runs);
    slx_program_free(&p);
    slx_model_close(m);
    slx_chip_free(chip);
    return bad ? 1 : 0;
}

static void test_words_and_parameters(void **state)
{
    (void)state;
    if (access(path, R_OK)) {
        print_message("%s is not there\n", path);
        skip();
    }
    pid_t child[PROCESSES];
    int failed = 0;
    fflush(NULL);
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (!child[i]) {
            int code = share((uint64_t)i + 1);
            fflush(NULL);
            _exit(code);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        failed += !WIFEXITED(status) || WEXITSTATUS(status);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words_and_parameters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
