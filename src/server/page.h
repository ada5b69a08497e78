/* page.h - the web page at /: its files, embedded in the program. They hold no data and need no key; what they show
 * comes from the API, with the key that the user enters.
 */
#ifndef SLX_SERVER_PAGE_H
#define SLX_SERVER_PAGE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *type;
    const unsigned char *bytes;
    size_t size;
} srv_page_file;

/* false when there is none at this path. */
bool srv_page_find(const char *path, srv_page_file *out);
/* Content-Security-Policy: nothing but this server's own files and API, nothing inline. */
extern const char srv_page_policy[];

#endif
