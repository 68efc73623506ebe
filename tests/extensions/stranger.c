/* SPDX-License-Identifier: MIT */
/* A shared object that is no extension. */
int stranger(void);

int stranger(void)
{
    return 1;
}
