/* grid.c - see grid.h. */
#include "cli/grid.h"

#include <string.h>

#include "cli/table.h"
#include "report/report.h"

static bool row_is_whole(const cli_grid *g)
{
    return g->rows <= 1 || g->at == g->columns;
}

void cli_grid_row(cli_grid *g)
{
    SLX_ASSERT(row_is_whole(g));
    if (g->rows == g->cap) { /* the arena keeps the old array: twice the last at most */
        int cap = g->cap ? 2 * g->cap : 32;
        cli_grid_cells *cell = slx_new(g->arena, cli_grid_cells, cap);
        if (g->rows) memcpy(cell, g->cell, sizeof *cell * (size_t)g->rows);
        g->cell = cell;
        g->cap = cap;
    }
    g->rows++;
    g->at = 0;
}

static void add(cli_grid *g, cli_grid_column c, const char *text)
{
    SLX_ASSERT(g->rows && g->at < CLI_GRID_COLUMNS);
    if (g->rows == 1) g->column[g->columns++] = c;
    SLX_ASSERT(g->at < g->columns && !strcmp(g->column[g->at].head, c.head));
    g->cell[g->rows - 1][g->at++] = text && *text ? slx_strdup(g->arena, text) : NULL;
}

void cli_grid_text(cli_grid *g, const char *head, const char *text)
{
    add(g, (cli_grid_column){.head = head}, text);
}

void cli_grid_number(cli_grid *g, const char *head, const char *text)
{
    add(g, (cli_grid_column){.head = head, .number = true}, text);
}

void cli_grid_note(cli_grid *g, const char *head, const char *text)
{
    add(g, (cli_grid_column){.head = head, .page_only = true}, text);
}

/* Columns that are shown, in their order. */
static int shown(const cli_grid *g, bool page, int out[CLI_GRID_COLUMNS])
{
    int n = 0;
    SLX_ASSERT(row_is_whole(g));
    for (int c = 0; c < g->columns; c++) {
        bool any = !c;
        for (int r = 0; r < g->rows && !any; r++) any = g->cell[r][c] != NULL;
        if (any && (page || !g->column[c].page_only)) out[n++] = c;
    }
    return n;
}

void cli_grid_print(const cli_grid *g, const char *title, FILE *out)
{
    int at[CLI_GRID_COLUMNS];
    cli_table t = {.arena = g->arena};
    if (!g->rows) return;
    t.columns = shown(g, false, at) - 1;
    int head = cli_table_heading(&t, title);
    for (int c = 0; c < t.columns; c++) {
        cli_table_set(&t, head, c, "%s", g->column[at[c + 1]].head);
        t.left[c] = !g->column[at[c + 1]].number;
    }
    for (int r = 0; r < g->rows; r++) {
        int row =
            cli_table_add(&t, slx_sprintf(g->arena, "  %s", g->cell[r][0] ? g->cell[r][0] : ""));
        for (int c = 0; c < t.columns; c++)
            if (g->cell[r][at[c + 1]]) cli_table_set(&t, row, c, "%s", g->cell[r][at[c + 1]]);
    }
    fputc('\n', out);
    cli_table_print(&t, out);
}

void cli_grid_page(const cli_grid *g, slx_buf *page)
{
    const char *head[CLI_GRID_COLUMNS];
    bool number[CLI_GRID_COLUMNS];
    int at[CLI_GRID_COLUMNS], n = shown(g, true, at);
    if (!g->rows) return;
    const char **cell = slx_new(g->arena, const char *, g->rows *n);
    for (int c = 0; c < n; c++) {
        head[c] = g->column[at[c]].head;
        number[c] = g->column[at[c]].number;
        for (int r = 0; r < g->rows; r++) cell[r * n + c] = g->cell[r][at[c]];
    }
    slx_html_add_table(page, &(slx_html_table){n, g->rows, head, number, cell});
}
