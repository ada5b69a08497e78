/* cli_fleet_keys.c - silex fleet --keys: the reference of every figure and output of a case, in text and as JSON. */
#include "cli/cli_fleet.h"

#include <math.h>

/* "options.NAME" */
static const char *section_name(char out[32], slx_fleet_section s)
{
    snprintf(out, 32, "%s%s", slx_fleet_section_names[s], slx_fleet_section_many(s) ? ".NAME" : "");
    return out;
}

void cli_fleet_keys_text(void)
{
    char name[32];
    for (int s = 0; s < SLX_FS_COUNT; s++) {
        printf("%s%s\n", s ? "\n" : "", section_name(name, (slx_fleet_section)s));
        for (int k = 0; k < SLX_F_COUNT; k++) {
            const slx_fleet_key_info *i = &slx_fleet_keys[k];
            char dflt[32] = "";
            if (i->section != (slx_fleet_section)s) continue;
            if (isfinite(i->dflt)) snprintf(dflt, sizeof dflt, ", %g if left out", i->dflt);
            printf("  %-22s %s. %s%s\n", i->name, i->unit, i->doc,
                   isinf(i->dflt) ? ", required" : dflt);
        }
    }
    printf("\nfigures.NAME.of (OPTION. before it where marked *)\n");
    for (int o = 0; o < SLX_FO_COUNT; o++)
        printf("  %-22s %s%s. %s\n", slx_fleet_output_name((slx_fleet_output)o),
               slx_fleet_output_unit((slx_fleet_output)o),
               slx_fleet_output_each((slx_fleet_output)o) ? " *" : "",
               slx_fleet_output_doc((slx_fleet_output)o));
}

json_t *cli_fleet_keys_json(void)
{
    json_t *keys = json_array(), *outputs = json_array();
    for (int k = 0; k < SLX_F_COUNT; k++) {
        const slx_fleet_key_info *i = &slx_fleet_keys[k];
        char section[32], path[64];
        snprintf(path, sizeof path, "%s.%s", section_name(section, i->section), i->name);
        json_t *j =
            json_pack("{s:s, s:s, s:f, s:f, s:b, s:s}", "name", path, "unit", i->unit, "least",
                      i->least, "most", i->most, "required", isinf(i->dflt) != 0, "about", i->doc);
        json_object_set_new(j, "default", isfinite(i->dflt) ? json_real(i->dflt) : json_null());
        json_array_append_new(keys, j);
    }
    for (int o = 0; o < SLX_FO_COUNT; o++) {
        slx_fleet_output of = (slx_fleet_output)o;
        json_array_append_new(
            outputs, json_pack("{s:s, s:s, s:b, s:s}", "name", slx_fleet_output_name(of), "unit",
                               slx_fleet_output_unit(of), "of_an_option_too",
                               slx_fleet_output_each(of), "about", slx_fleet_output_doc(of)));
    }
    return json_pack("{s:o, s:o}", "inputs", keys, "outputs", outputs);
}
