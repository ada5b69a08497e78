/* report.c - the report of a run: the answer first, then this host, the program, the chip.
 *
 * What the chip would take in time and energy comes from the timing machine, on the same program.
 */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

#include "cli/json.h"

slx_status cli_report_count(cli_report *r, const slx_seq *s, slx_err *err)
{
    const slx_program *p = slx_engine_program(r->engine);
    uint32_t n_pages, length = slx_seq_length(s), token = 0, first_page = 0;
    const uint32_t *pages = slx_seq_pages(s, &n_pages);
    if (!n_pages) { /* interrupted before its first step: as if it had begun */
        pages = &first_page;
        n_pages = 1;
    }
    /* without room for one more, the last token of the sequence stands for it */
    bool room = length < p->info.max_context && length < n_pages * SLX_MAX_CHUNK;
    uint32_t pos = room ? length : length - 1;
    slx_step_seq step = {
        .tokens = &token, .n = 1, .pos0 = pos, .n_samples = 1, .pages = pages, .n_pages = n_pages};
    uint8_t *desc = slx_aalloc(p->info.desc.bytes);
    slx_status st = slx_step_build(&p->info, desc, &step, 1, err);
    if (st == SLX_OK) st = slx_func_count(p, desc, &r->token, err);
    slx_afree(desc, p->info.desc.bytes);
    r->counted = st == SLX_OK;
    return st;
}

void cli_report_time(cli_report *r)
{
    const slx_program *p = slx_engine_program(r->engine);
    uint32_t context = r->gen.prompt_tokens + r->gen.new_tokens, most = p->info.max_context - 1;
    slx_estimate_options opt = {.prompt = r->gen.prompt_tokens,
                                .chunk = r->chunk,
                                .context = context < most ? context : most,
                                .batch = 1};
    slx_err err = {0};
    r->timed = slx_estimate_run(p, slx_engine_chip(r->engine), &opt, &r->chip, &err) == SLX_OK;
    if (!r->timed) snprintf(r->no_time, sizeof r->no_time, "%s", err.msg);
}

static const char *finish_words(const char *reason)
{
    return !strcmp(reason, "stop")     ? "end of turn"
           : !strcmp(reason, "length") ? "length limit"
                                       : reason;
}

static void print_engines(const slx_step_counts *c, FILE *out)
{
    uint64_t all = 0;
    char n[32];
    for (int i = 0; i < SLX_N_ENGINES; i++) all += c->insns[i];
    fprintf(out, " a token    %s instructions on all tiles:", cli_commas(n, all));
    const char *sep = " ";
    for (int i = 0; i < SLX_N_ENGINES; i++) {
        if (!c->insns[i]) continue;
        fprintf(out, "%s%s %s", sep, slx_engine_names[i], cli_commas(n, c->insns[i]));
        sep = ", ";
    }
    fputc('\n', out);
}

void cli_report_print(const cli_report *r, FILE *out)
{
    const slx_program *p = slx_engine_program(r->engine);
    const slx_generation *g = &r->gen;
    char a[32], b[32], c[32], sha[65], line[160], bits[24];
    const char *why, *dot = " \xc2\xb7 "; /* a middle dot */
    uint32_t fused, spans;
    uint64_t bytes;
    slx_program_sha256(p, sha, &bytes);
    snprintf(line, sizeof line, "%u prompt + %u new tokens, %s", g->prompt_tokens, g->new_tokens,
             finish_words(g->finish_reason));
    fprintf(out, "\n answer     %-48s bits  %s\n", line, cli_hex_groups(bits, g->hash));
    fprintf(out, " this host  prefill %.*f tok/s", g->prefill_tok_s < 9.95, g->prefill_tok_s);
    if (g->decode_tok_s > 0)
        fprintf(out, "%sdecode %.*f tok/s", dot, g->decode_tok_s < 9.95, g->decode_tok_s);
    fprintf(out, "%s%d thread%s%s%.0f MB%sstarted in %.1f s\n", dot, r->threads,
            r->threads == 1 ? "" : "s", dot, (double)slx_peak_rss_bytes() / 1e6, dot, g->load_s);
    fprintf(out, " program    %s instructions (%.0f KB), %u tile%s, verified; %s and %s a token\n",
            cli_commas(a, p->n_insns), (double)bytes / 1e3, p->info.n_tiles,
            p->info.n_tiles == 1 ? "" : "s", cli_short(b, (double)r->token.macs, " MAC"),
            cli_short(c, (double)(r->token.hbm_read_bytes + r->token.hbm_write_bytes), "B"));
    print_engines(&r->token, out);
    slx_machine_fusion(slx_engine_machine(r->engine), &fused, &spans, &why);
    if (!strcmp(r->machine, "fast") && why)
        fprintf(out, " slower     this program runs instruction by instruction: %s\n", why);
    const char *name = slx_engine_chip(r->engine)->name;
    char chip[96];
    uint32_t chips = slx_program_chips(&p->info);
    if (chips > 1)
        snprintf(chip, sizeof chip, "%u x %s", chips, name);
    else
        snprintf(chip, sizeof chip, "%s", name);
    const slx_estimate *e = &r->chip;
    if (!r->timed) {
        fprintf(out, " the chip   %s is not timed: %s\n", chip, r->no_time);
        return;
    }
    fprintf(out, " the chip   %s: first token %s%sthen %s each", chip, cli_short(a, e->ttft_s, "s"),
            dot, cli_short(b, e->tpot_s, "s"));
    fprintf(out, "%s%s each (low %s, ", dot, cli_short(a, e->energy_j_per_token, "J"),
            cli_short(b, e->energy_low_j, "J"));
    fprintf(out, "high %s)%slimited by %s\n", cli_short(c, e->energy_high_j, "J"), dot,
            slx_time_bound_name(e->decode.bound_by));
    uint64_t positions = (uint64_t)p->info.desc.max_pages * SLX_MAX_CHUNK;
    if (positions < p->info.max_context)
        fprintf(out,
                " KV pages   for %llu positions, all that the memory has room for; the model's context is %u\n",
                (unsigned long long)positions, p->info.max_context);
    slx_band usd;
    if (slx_estimate_usd_per_mtok(&usd, e, slx_engine_chip(r->engine)))
        fprintf(out, " money      $%.3g per million tokens at batch 1 (low %.3g, high %.3g); see: silex time --batch\n",
                usd.mid, usd.low, usd.high);
}

static json_t *ids_json(const slx_buf *ids)
{
    json_t *j = json_array();
    for (size_t i = 0; i < ids->len / 4; i++) {
        uint32_t id;
        memcpy(&id, ids->ptr + 4 * i, 4);
        json_array_append_new(j, json_integer(id));
    }
    return j;
}

static json_t *token_json(const slx_step_counts *c)
{
    json_t *insns = json_object(), *j = json_object();
    for (int i = 0; i < SLX_N_ENGINES; i++)
        json_object_set_new(insns, slx_engine_names[i], json_integer((json_int_t)c->insns[i]));
    json_object_set_new(j, "instructions", insns);
    json_object_set_new(j, "macs", json_integer((json_int_t)c->macs));
    json_object_set_new(j, "hbm_read_bytes", json_integer((json_int_t)c->hbm_read_bytes));
    json_object_set_new(j, "hbm_write_bytes", json_integer((json_int_t)c->hbm_write_bytes));
    return j;
}

static json_t *program_json(const cli_report *r)
{
    const slx_program *p = slx_engine_program(r->engine);
    char sha[65];
    uint64_t bytes;
    slx_program_sha256(p, sha, &bytes);
    json_t *j = json_object();
    json_object_set_new(j, "instructions", json_integer(p->n_insns));
    json_object_set_new(j, "bytes", json_integer((json_int_t)bytes));
    json_object_set_new(j, "sha256", json_string(sha));
    json_object_set_new(j, "per_token", token_json(&r->token));
    return j;
}

static json_t *host_json(const cli_report *r)
{
    json_t *j = json_object();
    json_object_set_new(j, "load_s", json_real(r->gen.load_s));
    json_object_set_new(j, "first_token_s", json_real(r->gen.first_token_s));
    json_object_set_new(j, "prefill_tok_s", json_real(r->gen.prefill_tok_s));
    if (r->gen.decode_tok_s > 0)
        json_object_set_new(j, "decode_tok_s", json_real(r->gen.decode_tok_s));
    else
        cli_json_absent(j, "decode_tok_s", "fewer than two tokens were made");
    json_object_set_new(j, "peak_rss_bytes", json_integer((json_int_t)slx_peak_rss_bytes()));
    json_object_set_new(j, "threads", json_integer(r->threads));
    return j;
}

void cli_report_json(const cli_report *r, const slx_buf *text)
{
    static const char *const absent[] = {"ttft_s", "tpot_s", "energy_j_per_token", "bound_by"};
    const slx_model *m = slx_engine_model(r->engine);
    json_t *j = json_object(), *chip_time = json_object();
    json_object_set_new(j, "model", cli_json_str(m->name, strlen(m->name)));
    json_object_set_new(j, "chip", json_string(slx_engine_chip(r->engine)->name));
    json_object_set_new(j, "chips", json_integer(slx_program_chips(&slx_engine_program(r->engine)->info)));
    json_object_set_new(j, "machine", json_string(r->machine));
    json_object_set_new(j, "prompt_tokens", json_integer(r->gen.prompt_tokens));
    json_object_set_new(j, "tokens", ids_json(&r->ids));
    json_object_set_new(j, "text", cli_json_str(text->ptr, text->len));
    json_object_set_new(j, "finish_reason", json_string(r->gen.finish_reason));
    json_object_set_new(j, "host", host_json(r));
    json_object_set_new(j, "program", program_json(r));
    if (r->timed) {
        const slx_estimate *e = &r->chip;
        json_object_set_new(chip_time, "ttft_s", json_real(e->ttft_s));
        json_object_set_new(chip_time, "tpot_s", json_real(e->tpot_s));
        json_object_set_new(chip_time, "energy_j_per_token", json_real(e->energy_j_per_token));
        json_object_set_new(chip_time, "bound_by",
                            json_string(slx_time_bound_name(e->decode.bound_by)));
        cli_json_usd(chip_time, e, slx_engine_chip(r->engine));
    }
    for (size_t i = 0; !r->timed && i < sizeof absent / sizeof *absent; i++)
        cli_json_absent(chip_time, absent[i], r->no_time);
    json_object_set_new(j, "chip_time", chip_time);
    json_object_set_new(j, "hash", cli_json_hash(r->gen.hash));
    cli_json_print(j);
}
