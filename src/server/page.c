/* page.c - see page.h. The assembler reads the files (.incbin), so editing one rebuilds this object; chart.js is
 * Debian's libjs-chart.js, where the Makefile found it.
 */
#include "server/page.h"

#include <string.h>

#ifndef SLX_CHART_JS
#error "SLX_CHART_JS: the path of chart.min.js"
#endif

#define EMBED(name, file)                                                                          \
    __asm__(".section .rodata\n.balign 16\n" #name ":\n.incbin \"" file "\"\n" #name               \
            "_end:\n.byte 0\n.previous\n");                                                        \
    extern const unsigned char name[] __asm__(#name), name##_end[] __asm__(#name "_end")

EMBED(srv_page_index, "src/server/page/index.html");
EMBED(srv_page_style, "src/server/page/style.css");
EMBED(srv_page_app, "src/server/page/app.js");
EMBED(srv_page_api, "src/server/page/api.js");
EMBED(srv_page_chat, "src/server/page/chat.js");
EMBED(srv_page_live, "src/server/page/live.js");
EMBED(srv_page_icon, "src/server/page/icon.svg");
EMBED(srv_page_chart, SLX_CHART_JS);

const char srv_page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char script[] = "text/javascript; charset=utf-8";
static const struct {
    const char *path, *type;
    const unsigned char *from, *to;
} files[] = {
    {"/", "text/html; charset=utf-8", srv_page_index, srv_page_index_end},
    {"/style.css", "text/css; charset=utf-8", srv_page_style, srv_page_style_end},
    {"/app.js", script, srv_page_app, srv_page_app_end},
    {"/api.js", script, srv_page_api, srv_page_api_end},
    {"/chat.js", script, srv_page_chat, srv_page_chat_end},
    {"/live.js", script, srv_page_live, srv_page_live_end},
    {"/icon.svg", "image/svg+xml", srv_page_icon, srv_page_icon_end},
    {"/chart.js", script, srv_page_chart, srv_page_chart_end},
};

bool srv_page_find(const char *path, srv_page_file *out)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(path, files[i].path)) {
            *out = (srv_page_file){files[i].type, files[i].from,
                                   (size_t)(files[i].to - files[i].from)};
            return true;
        }
    return false;
}
