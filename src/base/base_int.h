/* base_int.h - shared between the files of base, and nobody else. */
#ifndef SLX_BASE_INT_H
#define SLX_BASE_INT_H

#include "base/base.h"

/* Says so on stderr and exits with the code of SLX_ENOMEM: neither wrong data nor a bug, and
 * nothing to go on with. */
_Noreturn void slx_out_of_memory(size_t bytes);

/* Writes path's content kind into a message: "is a folder", "is not a regular file". NULL when it
 * is a regular file. */
const char *slx_not_regular(unsigned st_mode);

#endif
