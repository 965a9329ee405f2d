/* Batch scripts: the templates in jobs/slurm are what the code writes, bash gets back every word as it was, and what
 * sbatch would not take literally is refused. */
#include "coordinator/batch/batch_script.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <unistd.h>

static BatchScript plain_script(void) {
    return (BatchScript){.command = "palinode submit job.yaml",
                         .program = "palinode",
                         .name = "depth",
                         .job = "jobs/paper/fig2c-depth.yaml",
                         .dir = "results/depth",
                         .nodes = 2,
                         .tasks_per_node = 1,
                         .cpus_per_task = 32,
                         .walltime_s = 4 * 3600};
}

static char *written(const BatchScript *script) {
    char *text = NULL;
    Error err = {{0}};
    if (batch_script_write(script, &text, &err) != STATUS_OK) fail_msg("%s", err.text);
    return text;
}

/* PALINODE_WRITE_REFERENCE=1 writes the templates instead. */
static void check_template(const char *name, BatchScript script, const char *options) {
    char path[512], command[512], committed[8192] = "";
    snprintf(path, sizeof path, PROJECT_DIR "/jobs/slurm/%s.sbatch", name);
    snprintf(command, sizeof command,
             "palinode submit jobs/paper/fig2c-depth.yaml -o results/depth --nodes 2 --ntasks-per-node 1 "
             "--cpus-per-task 32 --time 4h%s --print",
             options);
    script.command = command;
    char *text = written(&script);
    if (getenv("PALINODE_WRITE_REFERENCE") != NULL) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(text, out);
        fclose(out);
    }
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_true(fread(committed, 1, sizeof committed - 1, in) > 0);
    fclose(in);
    if (strcmp(committed, text) != 0)
        fail_msg("%s is not what coordinator/batch/batch_script.c writes; PALINODE_WRITE_REFERENCE=1 renews it", path);
    free(text);
}

static void the_templates_are_what_the_code_writes(void **state) {
    BatchScript script = plain_script();
    check_template("requeue", script, "");
    script.sequel = BATCH_ONCE;
    check_template("once", script, " --once");
    script.sequel = BATCH_CHAIN;
    check_template("chain", script, " --chain");
    script.sequel = BATCH_REQUEUE;
    script.shards = 8;
    check_template("array", script, " --array 8");
}

/* What bash makes of the words of the last command of a script, a line each; it must do nothing else. */
static void run_with_words(const char *script, char *said, size_t size) {
    char path[] = "/tmp/palinode-batch-XXXXXX", command[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char *run = strstr(script, "exec mpirun");
    assert_non_null(run);
    assert_true(dprintf(fd, "exec printf '%%s\\n' %s", run + strlen("exec ")) > 0);
    close(fd);
    snprintf(command, sizeof command, "bash %s 2>&1", path);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    said[fread(said, 1, size - 1, out)] = '\0';
    assert_int_equal(pclose(out), 0);
    unlink(path);
}

static void bash_gets_every_word_as_it_was(void **state) {
    const char *const overrides[] = {"model.n_layer=2,4", "name=a b", "zip=[{model.n_head: 1}]",
                                     "name='$(touch x)`id`\"!"};
    BatchScript script = plain_script();
    script.job = "a b/it's $HOME.yaml";
    script.dir = "-o out\"*;&|<>~#";
    script.overrides = overrides;
    script.n_overrides = 4;
    char *text = written(&script), said[2048];
    run_with_words(text, said, sizeof said);
    assert_string_equal(said, "mpirun\n--bind-to\nnone\npalinode\nrun\na b/it's $HOME.yaml\n-o\n./-o out\"*;&|<>~#\n"
                              "--set\nmodel.n_layer=2,4\n--set\nname=a b\n--set\nzip=[{model.n_head: 1}]\n"
                              "--set\nname='$(touch x)`id`\"!\n--workers-per-rank\n32\n--requeue\n");
    assert_non_null(strstr(text, "\n#SBATCH --output=\"./-o out\\\"*;&|<>~#/slurm-%j.out\"\n"));
    free(text);
}

static void a_line_end_in_the_command_line_stays_within_the_comment(void **state) {
    BatchScript script = plain_script();
    script.command = "palinode submit 'a\n#SBATCH --wrong\nrm -r x'";
    script.name = "two\nlines and $more/%x";
    char *text = written(&script);
    assert_non_null(strstr(text, "\n# palinode submit 'a?#SBATCH --wrong?rm -r x'\n"));
    assert_non_null(strstr(text, "\n#SBATCH --job-name=two_lines_and__more__x\n"));
    free(text);
}

static void refused(const BatchScript *script, const char *message) {
    char *text = NULL;
    Error err = {{0}};
    assert_int_equal(batch_script_write(script, &text, &err), STATUS_USAGE);
    assert_null(text);
    if (strstr(err.text, message) == NULL) fail_msg("expected '%s' in: %s", message, err.text);
}

static void what_sbatch_would_not_take_literally_is_refused(void **state) {
    static const char *const dirs[] = {"50%", "a\\b", "a\nb"};
    static const char *const memories[] = {"", "G", "16g", "16GB", "1e3", "-1", "16 G", "9999999999999G"};
    static const char *const options[] = {"", "--", "-p", "qos=long", "--qos=a b", "--qos=long\n#SBATCH --x", "--Q"};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        BatchScript script = plain_script();
        script.dir = dirs[i];
        refused(&script, "-o: ");
    }
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++) {
        BatchScript script = plain_script();
        script.mem = memories[i];
        refused(&script, "--mem: expected");
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        BatchScript script = plain_script();
        script.options = &options[i];
        script.n_options = 1;
        refused(&script, "--sbatch: expected");
    }
    BatchScript script = plain_script();
    script.partition = "a b";
    refused(&script, "--partition: expected");
    script.partition = NULL;
    script.account = "-a";
    refused(&script, "--account: expected");
}

static void a_walltime_is_rounded_up_to_minutes_and_the_warning_fits_it(void **state) {
    static const struct {
        double walltime_s;
        const char *time, *signal;
    } cases[] = {{60, "0-00:01:00", "B:USR1@12"},
                 {61, "0-00:02:00", "B:USR1@12"},
                 {3600, "0-01:00:00", "B:USR1@120"},
                 {86400 * 2 + 3 * 3600 + 59, "2-03:01:00", "B:USR1@120"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BatchScript script = plain_script();
        char line[64];
        script.walltime_s = cases[i].walltime_s;
        char *text = written(&script);
        snprintf(line, sizeof line, "#SBATCH --time=%s\n", cases[i].time);
        assert_non_null(strstr(text, line));
        snprintf(line, sizeof line, "#SBATCH --signal=%s\n", cases[i].signal);
        assert_non_null(strstr(text, line));
        free(text);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_templates_are_what_the_code_writes),
        cmocka_unit_test(bash_gets_every_word_as_it_was),
        cmocka_unit_test(a_line_end_in_the_command_line_stays_within_the_comment),
        cmocka_unit_test(what_sbatch_would_not_take_literally_is_refused),
        cmocka_unit_test(a_walltime_is_rounded_up_to_minutes_and_the_warning_fits_it),
    };
    return run_tests(tests, argc, argv);
}
