/* table.h - chips side by side: a label and a cell a chip, columns as wide as their widest cell. */
#ifndef SLX_CLI_TABLE_H
#define SLX_CLI_TABLE_H

#include "base/base.h"

enum { CLI_TABLE_COLUMNS = 24 };

typedef struct {
    const char *label;
    const char *cell[CLI_TABLE_COLUMNS]; /* NULL = empty */
    bool heading;
} cli_table_row;

/* Zero-initialise with the number of columns; texts and rows lie in the arena. */
typedef struct {
    slx_arena *arena;
    int columns, n, cap;
    cli_table_row *rows;
    bool left[CLI_TABLE_COLUMNS]; /* cells of text stand at the left of their column */
} cli_table;

/* A new row, whatever others are called. */
int cli_table_add(cli_table *t, const char *label);
/* The row of this label after the last heading, made when there is none; a borrowed index. */
int cli_table_row_at(cli_table *t, const char *label);
/* A line of its own, an empty one above; its cells may be set like others. */
int cli_table_heading(cli_table *t, const char *label);
void cli_table_set(cli_table *t, int row, int column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void cli_table_print(const cli_table *t, FILE *out);

#endif
