/* CSV as `ivrctl request` takes it: header and rows to requests. */
#include <stdio.h>

#include "common/json/json.h"
#include "tests/fuzz/fuzz.h"
#include "tools/ivrctl/csv.h"
#include "tools/ivrctl/row.h"

static void read_rows(struct csv *csv)
{
    struct row_column columns[CSV_MAX_CELLS];
    struct err err = ERR_INIT;
    if (csv_next(csv, &err) != CSV_RECORD || row_header_read(columns, csv->cells, csv->n, true, &err) != 0)
        return;
    size_t n = csv->n;
    while (csv_next(csv, &err) == CSV_RECORD) {
        json_t *request = row_to_json(columns, n, csv->cells, csv->n, &err);
        if (request != NULL)
            (void)row_add_call_id(request);
        json_decref(request);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csv csv;
    FILE *in = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (in == NULL)
        return 0;
    csv_init(&csv, in);
    read_rows(&csv);
    csv_done(&csv);
    (void)fclose(in);
    return 0;
}
