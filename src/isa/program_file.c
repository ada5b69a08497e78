/* program_file.c - the .slx file: see the picture in program.h.
 *
 * Invariant: slx_program_serialise(slx_program_parse(bytes)) == bytes. Every byte is either checked or the value of a
 * field, so there is one file for one program and its SHA-256 names it.
 */
#include "isa/isa_int.h"

#include <string.h>

enum { HEADER_BYTES = 64, ROW_BYTES = 24, N_SECTIONS = SLX_SECTION_END - 1, HASH_FROM = 32 };
static const char magic[8] = {'S', 'I', 'L', 'E', 'X', 'S', 'L', 'X'};
static const char *const section_names[] = {
    "", "info", "desc", "regions", "groups", "entries", "instructions", "weights", "spans"};

/* ------------------------------------------------------------------ little-endian words */

static void put(slx_buf *b, uint64_t v, int bytes)
{
    uint8_t w[8];
    for (int i = 0; i < bytes; i++) w[i] = (uint8_t)(v >> (8 * i));
    slx_buf_add(b, w, (size_t)bytes);
}

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void set(slx_buf *b, size_t at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) b->ptr[at + (size_t)i] = (char)(v >> (8 * i));
}

/* ------------------------------------------------------------------ records */

static size_t record_bytes(const slx_record *r)
{
    size_t n = 0;
    for (int i = 0; i < r->n_fields; i++) n += r->field[i].size;
    return n;
}

static void put_record(slx_buf *b, const slx_record *r, const void *data)
{
    for (int i = 0; i < r->n_fields; i++) {
        const slx_field *f = &r->field[i];
        const char *from = (const char *)data + f->at;
        if (f->type == SLX_FIELD_STR) { /* zeros behind the end, whatever memory holds there */
            size_t len = strnlen(from, f->size);
            slx_buf_add(b, from, len);
            for (; len < f->size; len++) slx_buf_addc(b, 0);
            continue;
        }
        int word = slx_field_is_u32(f->type) ? 4 : 8;
        for (int at = 0; at < f->size; at += word) {
            uint32_t v32 = 0;
            uint64_t v64 = 0;
            memcpy(word == 4 ? (void *)&v32 : (void *)&v64, from + at, (size_t)word);
            put(b, word == 4 ? v32 : v64, word);
        }
    }
}

static void get_record(const uint8_t *from, const slx_record *r, void *data)
{
    for (int i = 0; i < r->n_fields; i++) {
        const slx_field *f = &r->field[i];
        char *to = (char *)data + f->at;
        int word = f->type == SLX_FIELD_STR ? f->size : slx_field_is_u32(f->type) ? 4 : 8;
        for (int at = 0; at < f->size; at += word, from += word) {
            uint64_t v64 = word == 8 ? get(from, 8) : 0;
            uint32_t v32 = word == 4 ? (uint32_t)get(from, 4) : 0;
            memcpy(to + at,
                   f->type == SLX_FIELD_STR ? (const void *)from
                   : word == 4              ? (void *)&v32
                                            : (void *)&v64,
                   (size_t)word);
        }
    }
}

static size_t section_record_bytes(int kind)
{
    switch (kind) {
    case SLX_SECTION_INFO: return record_bytes(&slx_rec_info);
    case SLX_SECTION_DESC: return record_bytes(&slx_rec_desc);
    case SLX_SECTION_REGIONS: return record_bytes(&slx_rec_region);
    case SLX_SECTION_GROUPS: return record_bytes(&slx_rec_group);
    case SLX_SECTION_ENTRIES: return 4;
    case SLX_SECTION_INSNS: return SLX_INSN_BYTES;
    case SLX_SECTION_WEIGHTS: return record_bytes(&slx_rec_weight);
    default: return record_bytes(&slx_rec_span);
    }
}

static uint32_t section_count(const slx_program *p, int kind)
{
    switch (kind) {
    case SLX_SECTION_REGIONS: return p->n_regions;
    case SLX_SECTION_GROUPS: return p->n_groups;
    case SLX_SECTION_ENTRIES: return 1 + p->n_functions;
    case SLX_SECTION_INSNS: return p->n_insns;
    case SLX_SECTION_WEIGHTS: return p->n_weights;
    case SLX_SECTION_SPANS: return p->n_spans;
    default: return 1;
    }
}

/* ------------------------------------------------------------------ write */

static void put_item(slx_buf *out, const slx_program *p, int kind, uint32_t i)
{
    switch (kind) {
    case SLX_SECTION_INFO: put_record(out, &slx_rec_info, &p->info); break;
    case SLX_SECTION_DESC: put_record(out, &slx_rec_desc, &p->info.desc); break;
    case SLX_SECTION_REGIONS: put_record(out, &slx_rec_region, &p->regions[i]); break;
    case SLX_SECTION_GROUPS: put_record(out, &slx_rec_group, &p->groups[i]); break;
    case SLX_SECTION_ENTRIES: put(out, i ? p->functions[i - 1] : p->entry_step, 4); break;
    case SLX_SECTION_INSNS:
        for (int k = 0; k < SLX_INSN_WORDS; k++) put(out, p->insns[i].w[k], 4);
        break;
    case SLX_SECTION_WEIGHTS: put_record(out, &slx_rec_weight, &p->weights[i]); break;
    default: put_record(out, &slx_rec_span, &p->spans[i]); break;
    }
}

static void pad64(slx_buf *b, size_t start)
{
    static const char zeros[64];
    slx_buf_add(b, zeros, slx_align64(b->len - start) - (b->len - start));
}

void slx_program_serialise(const slx_program *p, slx_buf *out)
{
    size_t start = out->len;
    slx_buf_add(out, magic, sizeof magic);
    put(out, SLX_PROGRAM_VERSION, 4);
    put(out, N_SECTIONS, 4);
    pad64(out, start);
    uint64_t at = slx_align64(HEADER_BYTES + N_SECTIONS * ROW_BYTES);
    for (int k = 1; k < SLX_SECTION_END; k++) {
        uint64_t bytes = slx_mul_size(section_count(p, k), section_record_bytes(k));
        put(out, (uint64_t)k, 4);
        put(out, section_count(p, k), 4);
        put(out, at, 8);
        put(out, bytes, 8);
        at = slx_align64(at + bytes);
    }
    pad64(out, start);
    for (int k = 1; k < SLX_SECTION_END; k++) {
        for (uint32_t i = 0; i < section_count(p, k); i++) put_item(out, p, k, i);
        pad64(out, start);
    }
    SLX_ASSERT(out->len - start == at);
    set(out, start + 16, at, 8);
    set(out, start + 24, slx_hash_of(out->ptr + start + HASH_FROM, at - HASH_FROM), 8);
}

slx_status slx_program_write(const slx_program *p, const char *path, slx_err *err)
{
    slx_buf b = {0};
    slx_program_serialise(p, &b);
    slx_status s = slx_write_file(path, b.ptr, b.len, err);
    slx_buf_free(&b);
    return s;
}

void slx_program_sha256(const slx_program *p, char out[65], uint64_t *bytes)
{
    slx_buf b = {0};
    slx_program_serialise(p, &b);
    slx_sha256_hex(out, b.ptr, b.len);
    if (bytes) *bytes = b.len;
    slx_buf_free(&b);
}

/* ------------------------------------------------------------------ read */

#define BAD(...) slx_fail(err, SLX_EINPUT, name, 0, 0, __VA_ARGS__)

typedef struct {
    uint32_t count;
    const uint8_t *data;
} section;

static slx_status read_header(const uint8_t *d, size_t n, const char *name, slx_err *err)
{
    if (n < HEADER_BYTES || memcmp(d, magic, sizeof magic))
        return BAD("not a Silex program: expected a file that starts with SILEXSLX");
    uint32_t version = (uint32_t)get(d + 8, 4), sections = (uint32_t)get(d + 12, 4);
    if (version != SLX_PROGRAM_VERSION)
        return slx_fail(err, SLX_EUNSUPPORTED, name, 0, 0,
                        "program file of version %u, expected %d: compile it again", version,
                        SLX_PROGRAM_VERSION);
    if (sections != N_SECTIONS) return BAD("%u sections, expected %d", sections, N_SECTIONS);
    uint64_t bytes = get(d + 16, 8), hash = get(d + 24, 8);
    if (bytes != n)
        return BAD("the file has %zu bytes, expected the %llu its header says: %s", n,
                   (unsigned long long)bytes,
                   n < bytes ? "it is cut short" : "something follows it");
    uint64_t found = slx_hash_of(d + HASH_FROM, n - HASH_FROM);
    if (found != hash)
        return BAD(
            "the content has hash %016llx, expected the header's %016llx: the file is damaged",
            (unsigned long long)found, (unsigned long long)hash);
    return SLX_OK;
}

static slx_status zeros(const uint8_t *d, uint64_t from, uint64_t to, const char *name,
                        slx_err *err)
{
    for (; from < to; from++)
        if (d[from])
            return BAD("byte %llu is 0x%02x, expected 0: it is padding", (unsigned long long)from,
                       d[from]);
    return SLX_OK;
}

static slx_status read_table(const uint8_t *d, size_t n, section sec[SLX_SECTION_END],
                             const char *name, slx_err *err)
{
    uint64_t table_end = HEADER_BYTES + N_SECTIONS * ROW_BYTES, at = slx_align64(table_end),
             end = table_end;
    if (n < at)
        return BAD("the file has %zu bytes, expected at least the section table's %llu", n,
                   (unsigned long long)at);
    SLX_TRY(zeros(d, HASH_FROM, HEADER_BYTES, name, err));
    for (int k = 1; k < SLX_SECTION_END; k++) {
        const uint8_t *row = d + HEADER_BYTES + (k - 1) * ROW_BYTES;
        uint32_t kind = (uint32_t)get(row, 4), count = (uint32_t)get(row + 4, 4);
        uint64_t offset = get(row + 8, 8), bytes = get(row + 16, 8);
        if (kind != (uint32_t)k)
            return BAD("section %d is of kind %u, expected %d (%s)", k, kind, k, section_names[k]);
        if (bytes != (uint64_t)count * section_record_bytes(k))
            return BAD("section %s has %llu bytes for %u records, expected %zu each",
                       section_names[k], (unsigned long long)bytes, count, section_record_bytes(k));
        if (offset != at)
            return BAD("section %s starts at %llu, expected %llu", section_names[k],
                       (unsigned long long)offset, (unsigned long long)at);
        if (bytes > n - at)
            return BAD("section %s needs %llu bytes from %llu, expected to end in the file's %zu",
                       section_names[k], (unsigned long long)bytes, (unsigned long long)at, n);
        bool one = k == SLX_SECTION_INFO || k == SLX_SECTION_DESC;
        if (one ? count != 1 : k == SLX_SECTION_ENTRIES && !count)
            return BAD("section %s has %u records, expected %s1", section_names[k], count,
                       one ? "" : "at least ");
        SLX_TRY(zeros(d, end, at, name, err));
        sec[k] = (section){count, d + at};
        end = at + bytes;
        at = slx_align64(end);
        if (at > n)
            return BAD("section %s ends at %llu of %zu bytes, expected padding to a multiple of 64",
                       section_names[k], (unsigned long long)end, n);
    }
    if (at != n)
        return BAD("the file has %zu bytes, expected its sections to end it at %llu", n,
                   (unsigned long long)at);
    return zeros(d, end, at, name, err);
}

static void *get_records(slx_arena *a, const section *s, const slx_record *r)
{
    char *items = slx_push(a, slx_mul_size(s->count, r->size), 16);
    for (uint32_t i = 0; i < s->count; i++)
        get_record(s->data + i * record_bytes(r), r, items + i * r->size);
    return items;
}

static void fill(slx_program *p, const section sec[SLX_SECTION_END])
{
    get_record(sec[SLX_SECTION_INFO].data, &slx_rec_info, &p->info);
    get_record(sec[SLX_SECTION_DESC].data, &slx_rec_desc, &p->info.desc);
    p->n_regions = sec[SLX_SECTION_REGIONS].count;
    p->regions = get_records(&p->arena, &sec[SLX_SECTION_REGIONS], &slx_rec_region);
    p->n_groups = sec[SLX_SECTION_GROUPS].count;
    p->groups = get_records(&p->arena, &sec[SLX_SECTION_GROUPS], &slx_rec_group);
    p->n_weights = sec[SLX_SECTION_WEIGHTS].count;
    p->weights = get_records(&p->arena, &sec[SLX_SECTION_WEIGHTS], &slx_rec_weight);
    p->n_spans = sec[SLX_SECTION_SPANS].count;
    p->spans = get_records(&p->arena, &sec[SLX_SECTION_SPANS], &slx_rec_span);

    const uint8_t *e = sec[SLX_SECTION_ENTRIES].data;
    p->entry_step = (uint32_t)get(e, 4);
    p->n_functions = sec[SLX_SECTION_ENTRIES].count - 1;
    p->functions = slx_new(&p->arena, uint32_t, p->n_functions);
    for (uint32_t i = 0; i < p->n_functions; i++)
        p->functions[i] = (uint32_t)get(e + 4 * (i + 1), 4);

    p->n_insns = sec[SLX_SECTION_INSNS].count;
    p->insns = slx_new(&p->arena, slx_insn, p->n_insns);
    for (uint32_t i = 0; i < p->n_insns; i++)
        for (uint32_t k = 0; k < SLX_INSN_WORDS; k++)
            p->insns[i].w[k] =
                (uint32_t)get(sec[SLX_SECTION_INSNS].data + i * SLX_INSN_BYTES + 4 * k, 4);
}

slx_status slx_program_parse(slx_program *p, const void *data, size_t n, const char *name,
                             slx_err *err)
{
    section sec[SLX_SECTION_END] = {0};
    slx_program_init(p);
    SLX_TRY(read_header(data, n, name, err));
    SLX_TRY(read_table(data, n, sec, name, err));
    fill(p, sec);
    slx_status s = slx_program_check(p, name, err);
    if (s) slx_program_free(p);
    return s;
}

slx_status slx_program_read(slx_program *p, const char *path, slx_err *err)
{
    slx_map m;
    slx_program_init(p);
    SLX_TRY(slx_map_open(&m, path, err));
    slx_status s = slx_program_parse(p, m.ptr, m.size, path, err);
    slx_map_close(&m);
    return s;
}
