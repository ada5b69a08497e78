/* fuzz_template.c - hostile chat templates and variables: any bytes must end in text or in an error.
 *
 * Input: the template, a zero byte, the variables' JSON (without one: a small conversation). What renders must have a
 * mark for each byte, and be UTF-8 as its sources were.
 */
#include "model/model.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char chat[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi <b>\"},"
                               "{\"role\": \"assistant\","
                               "\"content\": null, \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\":"
                               "{\"a\": [1, 2.5, true]}}}]}], \"add_generation_prompt\": true, \"tools\": null}";
    const char *text = (const char *)data, *vars = chat;
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t len = zero ? (size_t)(zero - data) : size, vars_len = sizeof chat - 1;
    if (zero && len + 1 < size) {
        vars = (const char *)zero + 1;
        vars_len = size - len - 1;
    }
    slx_arena a;
    slx_template *t;
    slx_rendered r = {0};
    slx_err err = {0};
    slx_arena_init(&a);
    if (!slx_template_parse(&t, &a, "fuzz", len ? text : "", len, &err) &&
        !slx_template_render(t, vars, vars_len, "2025-01-02 03:04:05", &r, &err)) {
        SLX_ASSERT(r.text.len == r.user.len);
        SLX_ASSERT(slx_utf8_valid(r.text.len ? r.text.ptr : "", r.text.len));
        for (size_t i = 0; i < r.user.len; i++) SLX_ASSERT(r.user.ptr[i] == 0 || r.user.ptr[i] == 1);
    } else {
        SLX_ASSERT(err.msg[0]);
    }
    slx_rendered_free(&r);
    slx_arena_deinit(&a);
    return 0;
}
