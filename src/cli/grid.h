/* grid.h - one table, told as text or on a page: every row names its columns beside their cells.
 *
 *   cli_grid g = {.arena = &arena};
 *   for (..) {
 *       cli_grid_row(&g);
 *       cli_grid_text(&g, "supplier", name);
 *       cli_grid_number(&g, "racks", "18.7 k");
 *   }
 *   cli_grid_print(&g, "bought", stdout);          or          cli_grid_page(&g, page);
 *
 * Invariant: every row has the columns of the first one, in its order: asserted. Columns without any cell are left out.
 */
#ifndef SLX_CLI_GRID_H
#define SLX_CLI_GRID_H

#include "base/base.h"

enum { CLI_GRID_COLUMNS = 40 };

typedef struct {
    const char *head;
    bool number, page_only; /* number: stands at the right */
} cli_grid_column;

typedef const char *cli_grid_cells[CLI_GRID_COLUMNS];

/* Zero-initialise with the arena: cells lie there. */
typedef struct {
    slx_arena *arena;
    int columns, rows, cap, at;
    cli_grid_column column[CLI_GRID_COLUMNS];
    cli_grid_cells *cell; /* (rows); NULL = empty */
} cli_grid;

void cli_grid_row(cli_grid *g);
/* The next cell of the row; text is copied, NULL or "" leaves it empty; head outlives the grid. */
void cli_grid_text(cli_grid *g, const char *head, const char *text);
void cli_grid_number(cli_grid *g, const char *head, const char *text);
void cli_grid_note(cli_grid *g, const char *head,
                   const char *text); /* too long for text: on a page only */
/* The title stands over the first column; nothing is printed of a grid without rows. */
void cli_grid_print(const cli_grid *g, const char *title, FILE *out);
void cli_grid_page(const cli_grid *g, slx_buf *page);

#endif
