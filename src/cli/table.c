/* table.c - see table.h. */
#include "cli/table.h"

#include <stdarg.h>
#include <string.h>

static int add(cli_table *t, const char *label, bool heading)
{
    SLX_ASSERT(t->columns <= CLI_TABLE_COLUMNS);
    if (t->n == t->cap) { /* the arena keeps the old array: twice the last at most */
        int cap = t->cap ? 2 * t->cap : 64;
        cli_table_row *rows = slx_new(t->arena, cli_table_row, cap);
        if (t->n) memcpy(rows, t->rows, (size_t)t->n * sizeof *rows);
        t->rows = rows;
        t->cap = cap;
    }
    t->rows[t->n] = (cli_table_row){.label = slx_strdup(t->arena, label), .heading = heading};
    return t->n++;
}

int cli_table_add(cli_table *t, const char *label)
{
    return add(t, label, false);
}

int cli_table_row_at(cli_table *t, const char *label)
{
    for (int i = t->n; i-- && !t->rows[i].heading;)
        if (!strcmp(t->rows[i].label, label)) return i;
    return add(t, label, false);
}

int cli_table_heading(cli_table *t, const char *label)
{
    return add(t, label, true);
}

void cli_table_set(cli_table *t, int row, int column, const char *fmt, ...)
{
    va_list ap;
    SLX_ASSERT(row < t->n && column < t->columns);
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = slx_new(t->arena, char, n + 1);
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->rows[row].cell[column] = text;
}

static int width(const char *s)
{
    return s ? (int)strlen(s) : 0;
}

void cli_table_print(const cli_table *t, FILE *out)
{
    int label = 0, column[CLI_TABLE_COLUMNS] = {0};
    for (int r = 0; r < t->n; r++) {
        if (width(t->rows[r].label) > label) label = width(t->rows[r].label);
        for (int i = 0; i < t->columns; i++)
            if (width(t->rows[r].cell[i]) > column[i]) column[i] = width(t->rows[r].cell[i]);
    }
    for (int r = 0; r < t->n; r++) {
        int last = t->columns;
        while (last && !t->rows[r].cell[last - 1]) last--;
        if (t->rows[r].heading && r) fputc('\n', out);
        fprintf(out, "%-*s", last ? label : 0, t->rows[r].label);
        for (int i = 0; i < last; i++)
            fprintf(out, "  %*s", t->left[i] ? i == last - 1 ? 0 : -column[i] : column[i],
                    t->rows[r].cell[i] ? t->rows[r].cell[i] : "");
        fputc('\n', out);
    }
}
