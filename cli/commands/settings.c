/* palinode settings: what a job file can say, from the table that also reads it. */
#include "jobs/settings/settings.h"

#include "cli/commands/commands.h"
#include "cli/shared/options.h"

#include <stdio.h>
#include <stdlib.h>

int command_settings(int argc, char **argv) {
    bool markdown = false;
    const Option table[] = {
        {.name = "markdown",
         .type = OPTION_FLAG,
         .value = &markdown,
         .summary = "as the reference page docs/settings.md"},
    };
    const Command command = {.name = "settings",
                             .usage = "[--markdown]",
                             .summary = "every setting of a job file, with its bounds and default",
                             .options = table,
                             .n_options = 1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    free((void *)operands);
    char *text = markdown ? settings_reference() : settings_help();
    if (text == NULL) return report_error(STATUS_NO_MEMORY, &(Error){"no memory for the table of settings"});
    fputs(text, stdout);
    free(text);
    return STATUS_OK;
}
