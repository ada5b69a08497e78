/* prefix.h - full KV pages by the tokens that made them, so that a prompt which begins like an earlier one starts behind
 * the common part.
 *
 * A page's key is its 128 tokens and the entry of the page before it: a chain, found through a hash of both and compared
 * token by token, so a hit is the very same prefix. Values in a page depend on these tokens alone (the same bits however
 * a prompt was cut), which makes reuse exact.
 */
#ifndef SLX_RUN_PREFIX_H
#define SLX_RUN_PREFIX_H

#include "run/run.h"

typedef struct slx_prefix slx_prefix;
slx_prefix *slx_prefix_open(slx_engine *e);
void slx_prefix_close(slx_prefix *c); /* drops all its pages */
/* The longest chain of tokens[0..n): its pages to out (room for n/128), their number returned. They are only valid until
 * the next call of slx_prefix_evict: adopt them first. */
uint32_t slx_prefix_find(slx_prefix *c, const uint32_t *tokens, uint32_t n, uint32_t *out);
/* The page that holds tokens[n-128..n), n a multiple of 128, behind the chain of what is before. Holds the page unless
 * the chain is known already, or is broken. */
void slx_prefix_add(slx_prefix *c, const uint32_t *tokens, uint32_t n, uint32_t page);
/* Gives up the page unused for longest that nobody else holds; false when there is none. */
bool slx_prefix_evict(slx_prefix *c);
uint32_t slx_prefix_idle(const slx_prefix *c); /* pages that evict could give */
void slx_prefix_clear(slx_prefix *c);

#endif
