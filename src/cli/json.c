/* json.c - see json.h. */
#include "cli/json.h"

#include "cli/cli.h"

#include <stdlib.h>

void cli_json_print(json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(15));
    SLX_ASSERT(text);
    puts(text);
    free(text);
    json_decref(j);
}

json_t *cli_json_str(const char *p, size_t n)
{
    slx_buf clean = {0};
    const char *end = p + n;
    while (p < end) {
        uint32_t cp;
        int len = slx_utf8_get(p, end, &cp);
        if (len)
            slx_buf_add(&clean, p, (size_t)len);
        else
            slx_buf_adds(&clean, "\xef\xbf\xbd");
        p += len ? len : 1;
    }
    json_t *j = json_stringn_nocheck(clean.len ? clean.ptr : "", clean.len);
    slx_buf_free(&clean);
    return j;
}

json_t *cli_json_hash(uint64_t hash)
{
    char text[20];
    return json_string(cli_hex(text, hash));
}

json_t *cli_json_number(double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    return json_real(strtod(text, NULL));
}

void cli_json_absent(json_t *o, const char *name, const char *why)
{
    char key[64];
    snprintf(key, sizeof key, "%s_why", name);
    json_object_set_new(o, name, json_null());
    json_object_set_new(o, key, json_string(why));
}

void cli_json_usd(json_t *o, const slx_estimate *e, const slx_chip *c)
{
    slx_band usd;
    if (!slx_estimate_usd_per_mtok(&usd, e, c)) {
        cli_json_absent(o, "usd_per_mtok", "what the chip costs is not told: see silex chip");
        return;
    }
    json_object_set_new(o, "usd_per_mtok", json_real(usd.mid));
    json_object_set_new(o, "usd_per_mtok_low", json_real(usd.low));
    json_object_set_new(o, "usd_per_mtok_high", json_real(usd.high));
}
