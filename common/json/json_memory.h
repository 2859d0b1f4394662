/*
 * jansson's memory: trees that live for one function call cost no malloc.
 *
 * Documents are parsed, read and dropped one after the other, so their nodes come from one arena, which
 * starts over whenever nothing in it is alive. What does not fit, or outlives its neighbours, comes from
 * malloc: nobody has to know. Not for threads, like everything on the loop. Free what jansson returns
 * (json_dumps) with json_memory_free, not with free.
 */
#ifndef IVR_COMMON_JSON_MEMORY_H
#define IVR_COMMON_JSON_MEMORY_H

/* Idempotent; json_parse() calls it. */
void json_memory_use(void);
void json_memory_free(void *p);

#endif
