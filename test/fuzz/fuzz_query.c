/* fuzz_query.c - any bytes as lines of questions: one answer a line, JSON with an id and a value, the same again. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "validate/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static slx_queries *open_once(void)
{
    static slx_queries *q; /* chips and models stay loaded between inputs */
    if (!q) q = slx_queries_open();
    return q;
}

static void check(const slx_buf *out)
{
    json_error_t e;
    json_t *o = json_loadb(out->ptr, out->len, JSON_ALLOW_NUL, &e);
    SLX_ASSERT(out->len && out->ptr[out->len - 1] == '\n' &&
               !memchr(out->ptr, '\n', out->len - 1) && o);
    const json_t *v = json_object_get(o, "value");
    if (json_is_number(v)) {
        double low = json_number_value(json_object_get(o, "low")),
               high = json_number_value(json_object_get(o, "high"));
        SLX_ASSERT(json_number_value(v) > 0 && low <= json_number_value(v) &&
                   json_number_value(v) <= high);
        SLX_ASSERT(json_is_string(json_object_get(o, "unit")));
    } else if (json_is_null(v) && json_object_get(o, "error")) {
        SLX_ASSERT(json_string_length(json_object_get(o, "error")));
    } else if (!json_is_null(v)) {
        SLX_ASSERT((json_is_array(v) || json_is_string(v)) &&
                   json_is_string(json_object_get(o, "unit")));
    } else {
        SLX_ASSERT(json_is_null(v) && json_string_length(json_object_get(o, "why")));
    }
    json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    for (int n = 1; p < end; n++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((nl ? nl : end) - p);
        slx_buf a = {0}, b = {0};
        bool good = slx_queries_line(open_once(), p, len, n, &a);
        SLX_ASSERT(good == slx_queries_line(open_once(), p, len, n, &b));
        SLX_ASSERT(a.len == b.len && !memcmp(a.ptr, b.ptr, a.len));
        check(&a);
        slx_buf_free(&a);
        slx_buf_free(&b);
        p = nl ? nl + 1 : end;
    }
    return 0;
}
