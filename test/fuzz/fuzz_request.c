/* fuzz_request.c - any bytes as the body of a request to each API: refused with OpenAI's error, or a request whose
 * values are within what the server relies on. The first byte chooses the API. */
#include <string.h>

#include "server/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VOCAB = 300 };

static void check_error(const srv_error *e)
{
    SLX_ASSERT(e->status == 400 && e->type && e->code && e->message[0]);
    size_t n = strnlen(e->message, sizeof e->message);
    SLX_ASSERT(n < sizeof e->message && slx_utf8_valid(e->message, n)); /* it becomes JSON */
    SLX_ASSERT(slx_utf8_valid(e->param, strlen(e->param)));
}

static void check(const srv_request *r)
{
    SLX_ASSERT(r->n >= 1 && r->n <= SRV_MAX_CHOICES);
    SLX_ASSERT(r->sampling.top_p > 0 && r->sampling.top_p <= 1 && r->sampling.min_p >= 0 &&
               r->sampling.min_p <= 1);
    SLX_ASSERT(r->sampling.temperature >= 0 && r->sampling.temperature <= 100 &&
               r->sampling.top_k <= 1024);
    SLX_ASSERT(r->n_stops <= SLX_MAX_STOPS && r->n_top <= SLX_MAX_LOGPROBS &&
               r->n_bias <= SLX_MAX_BIAS);
    for (uint32_t i = 0; i < r->n_stops; i++) SLX_ASSERT(r->stops[i].len);
    for (uint32_t i = 0; i < r->n_bias; i++) SLX_ASSERT(r->bias[i].token < VOCAB);
    SLX_ASSERT((r->api == SRV_COMPLETIONS) == (r->prompts != NULL) &&
               (r->prompts != NULL) == (r->vars == NULL));
    SLX_ASSERT(!r->prompts || json_array_size(r->prompts) * r->n <= SRV_MAX_CHOICES);
    SLX_ASSERT(!r->vars || json_is_array(json_object_get(r->vars, "messages")));
    SLX_ASSERT((r->tools != NULL) == (r->tool_choice != SRV_TOOLS_NONE));
    SLX_ASSERT((r->format == SRV_FORMAT_SCHEMA) == json_is_object(r->schema));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const srv_api apis[] = {SRV_CHAT, SRV_COMPLETIONS, SRV_RESPONSES};
    srv_request r;
    srv_error e;
    if (!size) return 0;
    if (srv_request_parse(&r, apis[data[0] % 3], (const char *)data + 1, size - 1, VOCAB, &e)) {
        check(&r);
        srv_request_free(&r);
    } else {
        check_error(&e);
    }
    return 0;
}
