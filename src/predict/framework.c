/* framework.c - what a serving framework adds to passes: rows of data/frameworks.csv, which says what is in them. */
#include "predict/predict_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Letters and digits alike, whatever their case; a slash must be a slash. */
static bool same(const char *a, const char *b, size_t n)
{
    for (;; a++, b++, n--) {
        while (*a && *a != '/' && !isalnum((unsigned char)*a)) a++;
        while (n && *b != '/' && !isalnum((unsigned char)*b)) b++, n--;
        if (!*a || !n) return !*a && !n;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
    }
}

static bool number(const char **at, double *out)
{
    char *end;
    *out = strtod(*at, &end);
    if (end == *at || *end != ',' || !(*out >= 0) || *out > 1e9) return false;
    *at = end + 1;
    return true;
}

/* Bytes of a row's name, to its comma; of NAME/MAKER-GENERATION with `maker` set only NAME/MAKER. */
static size_t name_bytes(const char *row, const char *comma, bool maker)
{
    const char *slash = memchr(row, '/', (size_t)(comma - row)), *dash = slash ? strchr(slash, '-') : NULL;
    return (size_t)((maker && dash && dash < comma ? dash : comma) - row);
}

/* The row of that name, or of a maker; SLX_EUNSUPPORTED when there is none. */
static slx_status find_row(slx_framework *out, const char *text, const char *name, bool maker, const char *path,
                           slx_err *err)
{
    int line = 0;
    for (const char *p = text; p && *p;) {
        const char *nl = strchr(p, '\n'), *comma = strchr(p, ',');
        line++;
        if (*p != '#' && *p != '\n' && comma && same(name, p, name_bytes(p, comma, maker))) {
            const char *at = comma + 1;
            double *const to[] = {&out->slow,       &out->slow_prompt,  &out->step_us,   &out->seq_us,
                                  &out->front_us,   &out->front_seq_us, &out->mac_share, &out->kv_share,
                                  &out->alike,      &out->experts,      &out->experts_prompt, &out->moe_us,
                                  &out->sync_us,    &out->norms_apart,  &out->band_low,  &out->band_high,
                                  &out->first_low,  &out->first_high};
            size_t i = 0;
            while (i < sizeof to / sizeof *to && number(&at, to[i])) i++;
            if (i == sizeof to / sizeof *to) return SLX_OK;
            return slx_fail(err, SLX_EINPUT, path, line, 0,
                            "expected name,slow,slow_prompt,step_us,seq_us,front_us,front_seq_us,mac_share,kv_share,"
                            "alike,experts,experts_prompt,moe_us,sync_us,norms_apart,band_low,band_high,"
                            "first_low,first_high,source");
        }
        p = nl ? nl + 1 : NULL;
    }
    return slx_fail(err, SLX_EUNSUPPORTED, path, 0, 0, "found no framework '%.40s'", name);
}

/* The name of the rows of what is also called otherwise. Orchestrators that only hand requests on (dynamo-vllm) are
 * left out of it. */
static const char *row_name(const char *name)
{
    static const char *const known[][2] = {{"trtllm", "TensorRT-LLM"},          {"trt", "TensorRT-LLM"},
                                           {"tensorrt", "TensorRT-LLM"},        {"trtllm2024", "TensorRT-LLM-2024"},
                                           {"deepspeed2024", "Deepspeed-MII-2024"},
                                           {"deepspeedfastgen2024", "Deepspeed-MII-2024"}};
    if (strncasecmp(name, "dynamo", 6) == 0 && (name[6] == '-' || name[6] == '_' || name[6] == ' ')) name += 7;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (same(name, known[i][0], strlen(known[i][0]))) return known[i][1];
    return name;
}

/* The band of a framework on chips of a generation it was not measured with, where that is not NVIDIA's: assumed, from
 * what the same framework took on AMD's against NVIDIA's. */
static const double other_low = 0.5, other_high = 3;

slx_status slx_framework_find(slx_framework *out, const char *name, const char *family,
                              slx_err *err)
{
    char path[1024], both[160];
    slx_buf text = {0};
    if (!family) family = "";
    name = row_name(name);
    SLX_TRY(slx_find_file(path, "data", "frameworks.csv", NULL, err));
    SLX_TRY(slx_read_file(&text, path, err));
    snprintf(both, sizeof both, "%.60s/%.60s", name, family);
    slx_status st = find_row(out, text.ptr, both, false, path, NULL);
    out->of_family = st == SLX_OK;
    int maker = (int)strcspn(family, "-");
    snprintf(both, sizeof both, "%.60s/%.*s", name, maker < 60 ? maker : 60, family);
    bool nvidia = strncmp(family, "nvidia", 6) == 0 || !*family; /* the rows without a maker are NVIDIA's */
    if (st == SLX_EUNSUPPORTED && !nvidia) st = find_row(out, text.ptr, both, true, path, NULL);
    if (st == SLX_EUNSUPPORTED) st = find_row(out, text.ptr, name, false, path, err);
    if (st == SLX_OK && !out->of_family && !nvidia) {
        out->band_low = fmin(out->band_low, other_low), out->band_high = fmax(out->band_high, other_high);
        out->first_low = fmin(out->first_low, other_low), out->first_high = fmax(out->first_high, other_high);
    }
    slx_buf_free(&text);
    return st;
}

double slx_slow_prompt(const slx_framework *fw)
{
    return fw->slow_prompt > 0 ? fw->slow_prompt : fw->slow;
}

void slx_framework_widen_first(const slx_framework *fw, slx_band *b)
{
    slx_framework first = {.band_low = fw->first_low, .band_high = fw->first_high, .of_family = fw->of_family};
    slx_framework_widen(first.band_high > 0 ? &first : fw, b);
}

void slx_framework_widen(const slx_framework *fw, slx_band *b)
{
    if (!(fw->band_high > 0)) return;
    if (fw->of_family) { /* the passes of these very chips are in it */
        b->low = fmin(1, fw->band_low) * b->mid, b->high = fmax(1, fw->band_high) * b->mid;
        return;
    }
    b->low = fmin(b->low, fw->band_low * b->mid);
    b->high = fmax(b->high, fw->band_high * b->mid);
}
