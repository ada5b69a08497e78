/* engine_options.h - the options of every verb that opens an engine: which chip, which machine, how large a program. */
#ifndef SLX_CLI_ENGINE_OPTIONS_H
#define SLX_CLI_ENGINE_OPTIONS_H

#include "cli/cli.h"
#include "run/run.h"

typedef struct {
    const char *chip, *program;
    int machine, cpu; /* cpu -1: the best this host has */
    int64_t threads, ctx, tp;
} cli_engine_values;

extern const char *const cli_machines[]; /* by slx_machine_kind */
extern const char *const cli_cpus[];     /* by slx_cpu */

/* Rows for a table whose values hold a cli_engine_values named `engine`. --threads is a row of its own, because bench
 * takes several. */
/* clang-format off */
#define CLI_ENGINE_DEFAULTS {.chip = "silex-1", .cpu = -1, .tp = 1}
#define CLI_CHIP_ROW(T)                                                                           \
    {"chip", 0, CLI_TEXT, "CHIP", offsetof(T, engine.chip), 0, 0, NULL,                           \
     "chip: a name in chips/ or a file"}
#define CLI_THREADS_ROW(T)                                                                        \
    {"threads", 't', CLI_COUNT, "N", offsetof(T, engine.threads), 0, 1024, NULL,                  \
     "threads of the fast machine; 0 = all CPUs; no effect on any bit"}
#define CLI_ENGINE_ROWS(T)                                                                        \
    CLI_CHIP_ROW(T),                                                                              \
    {"machine", 0, CLI_CHOICE, "strict|fast", offsetof(T, engine.machine), 0, 0, cli_machines,    \
     "strict: every instruction one by one; fast: the same bits by fused kernels"},               \
    {"program", 0, CLI_TEXT, "P.slx", offsetof(T, engine.program), 0, 0, NULL,                    \
     "run this program instead of compiling; it is verified first"},                              \
    {"ctx", 'c', CLI_COUNT, "N", offsetof(T, engine.ctx), 0, 1 << 24, NULL,                       \
     "positions of one sequence; 0 = what the model was made for"},                               \
    {"tp", 0, CLI_COUNT, "P", offsetof(T, engine.tp), 1, SLX_MAX_CHIPS, NULL,                     \
     "chips that run the model together, 1, 2, 4 or 8; no effect on any bit"},                    \
    {"cpu", 0, CLI_CHOICE, "scalar|avx2|avx512", offsetof(T, engine.cpu), 0, 0, cli_cpus,         \
     "host instructions of the fast machine, the best when not given; no effect on any bit"}
/* clang-format on */

/* o's kernels and strings are borrowed from v. Refuses what contradicts itself or this host. */
slx_status cli_engine_get(const cli_engine_values *v, const char *model, slx_engine_options *o,
                          slx_err *err);

#endif
