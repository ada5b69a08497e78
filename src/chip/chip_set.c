/* chip_set.c - one figure of a chip changed after the load: a what-if.
 *
 * The chip that comes out has passed the checks of a file's text that reads so; one that fails is as it was before.
 * Those of the whole chip (physics.c) wait until all that is to change has changed.
 */
#include <stdlib.h>
#include <string.h>

#include "chip/chip_int.h"

static slx_status unknown_key(const slx_yaml *t, const char *key)
{
    const char *names[SLX_CHIP_KEYS_MAX];
    for (int i = 0; i < slx_chip_n_keys; i++) names[i] = slx_chip_keys[i].path;
    const char *near = slx_nearest(key, names, slx_chip_n_keys);
    if (slx_chip_is_section(key))
        return slx_yaml_fail(t, 0, 0, "found a section, expected one of its keys");
    if (!strcmp(key, "isa.formats") || !strncmp(key, "sources", 7))
        return slx_yaml_fail(t, 0, 0, "found a list, expected a key with one value");
    return slx_yaml_fail(t, 0, 0,
                         "found \"%.60s\", expected a key of chip files (silex chip --keys)%s%s%s",
                         key, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static bool of_its_kind(const slx_chip *c, const slx_chip_key *k)
{
    return *k->section &&
           slx_chip_section_fits(k->section, c->library ? SLX_RUNS_LIBRARY : SLX_RUNS_PROGRAM);
}

bool slx_chip_has_key(const slx_chip *c, const char *key)
{
    const slx_chip_key *k = slx_chip_find_key(key);
    return k && of_its_kind(c, k);
}

/* A key that its kind of chip does not have. */
static slx_status check_kind(const slx_chip *c, const slx_yaml *t, const slx_chip_key *k)
{
    if (!*k->section) return slx_yaml_fail(t, 0, 0, "%s cannot be changed", k->path);
    if (of_its_kind(c, k)) return SLX_OK;
    return slx_yaml_fail(t, 0, 0, "%s is no key of %s, which runs %s", k->path, c->name,
                         c->library ? "a vendor's library" : "programs");
}

/* Another peak, clock or number of cores: what a core does a clock, which ties the three, is not that of the file any
 * more. */
static void untie_peak(slx_chip *c, const char *key)
{
    static const char *const tied[] = {"part.bf16_tflops", "part.clock_ghz", "part.units"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(key, tied[i])) c->part.unit_flop_clk = NAN;
}

slx_status slx_chip_set(slx_chip *c, const char *key, const char *value, slx_err *err)
{
    char place[256];
    slx_err unwanted;
    const slx_chip_key *k = slx_chip_find_key(key);
    snprintf(place, sizeof place, "--set %.60s=%.60s", key, value);
    /* A file of one key. Places in it are line 0: there is no line to show. */
    slx_yaml_node nodes[2] = {{.kind = SLX_YAML_MAP, .parent = -1, .path = "", .name = ""},
                              {.kind = SLX_YAML_SCALAR,
                               .parent = 0,
                               .path = key,
                               .name = key,
                               .text = value,
                               .plain = true}};
    slx_yaml t = {
        .path = place, .text = "", .nodes = nodes, .n_nodes = 2, .err = err ? err : &unwanted};
    if (!k) return unknown_key(&t, key);
    SLX_TRY(check_kind(c, &t, k));
    SLX_TRY(slx_chip_check_key(&t, &nodes[1], k));
    slx_chip changed = *c;
    if (k->type == SLX_CK_TEXT) {
        *(const char **)((char *)&changed + k->offset) = slx_strdup(&c->arena, value);
        changed.arena = c->arena;
    } else {
        double v = k->dflt;
        if (!slx_yaml_is_null(&nodes[1])) SLX_ASSERT(slx_parse_f64(value, k->least, k->most, &v));
        slx_chip_set_value(&changed, k, v);
        untie_peak(&changed, key);
    }
    changed.hash = slx_chip_hash_figures(&changed);
    SLX_TRY(slx_chip_check_rules(&changed, &t));
    if (changed.library) slx_chip_complete_library(&changed);
    *c = changed;
    c->key_line[k - slx_chip_keys] = -1;
    return SLX_OK;
}

slx_status slx_chip_set_text(slx_chip *c, const char *text, slx_err *err)
{
    const char *eq = strchr(text, '=');
    char key[64];
    if (!eq || eq == text || (size_t)(eq - text) >= sizeof key) {
        char place[128];
        snprintf(place, sizeof place, "--set %.60s", text);
        return slx_fail(err, SLX_EINPUT, place, 0, 0, "expected KEY=VALUE, a key of chip files");
    }
    memcpy(key, text, (size_t)(eq - text));
    key[eq - text] = 0;
    return slx_chip_set(c, key, eq + 1, err);
}
