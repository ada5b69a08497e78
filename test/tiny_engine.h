/* tiny_engine.h - an engine on silex-mini with a model of two layers that is made up for it; room for 8 sequences. */
#ifndef SLX_TEST_TINY_ENGINE_H
#define SLX_TEST_TINY_ENGINE_H

#include <stdlib.h>
#include <unistd.h>

#include "gguf_make.h"
#include "run/run.h"

static inline slx_engine *open_engine(void)
{
    static const struct slx_test_model_spec spec = {.n_layers = 2,
                                                    .d_model = 64,
                                                    .d_ff = 96,
                                                    .n_heads = 4,
                                                    .n_kv_heads = 2,
                                                    .vocab = 288,
                                                    .context = 1024,
                                                    .tied = true,
                                                    .tokenizer = true,
                                                    .seed = 4};
    char path[] = "/tmp/silex-engine-XXXXXX";
    int fd = mkstemp(path);
    slx_engine *e = NULL;
    assert_true(fd >= 0);
    close(fd);
    assert_true(slx_test_write_model(path, &spec));
    slx_engine_options o = {
        .model_path = path,
        .chip = "silex-mini",
        .threads = 1,
        .compile = {.max_seqs = 8, .max_samples = 8, .max_rows = 256, .max_pages = 64}};
    assert_int_equal(slx_engine_open(&e, &o, NULL), SLX_OK);
    unlink(path);
    return e;
}

#endif
