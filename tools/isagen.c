/* isagen.c - writes what readers that are not C need of the instruction table: isagen DOCS writes DOCS/isa.md. */
#include "isa/isa.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: isagen FOLDER    writes FOLDER/isa.md\n", stderr);
        return 2;
    }
    slx_buf text = {0};
    slx_err err;
    char path[1100];
    slx_isa_doc(&text);
    snprintf(path, sizeof path, "%s/isa.md", argv[1]);
    slx_status s = slx_write_file(path, text.ptr, text.len, &err);
    if (s) slx_err_print(&err, stderr);
    slx_buf_free(&text);
    return slx_exit_code(s);
}
