/* What is asked of Slurm's programs and made of their answers, with scripts in their place; tests/slurm has the real
 * ones. */
#include "coordinator/batch/slurm.h"
#include "tests/harness.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/palinode-slurm-XXXXXX";

/* Puts a program of that name first in PATH; it notes its arguments in the folder's file "asked". */
static void install(const char *name, const char *body) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "#!/bin/sh\necho \"$(basename \"$0\") $*\" >>%s/asked\n%s\n", folder, body);
    fclose(out);
    assert_int_equal(chmod(path, 0755), 0);
}

/* What the programs were asked since the last call. */
static const char *asked(char text[1024]) {
    char path[256];
    snprintf(path, sizeof path, "%s/asked", folder);
    FILE *in = fopen(path, "r");
    text[0] = '\0';
    if (in == NULL) return text;
    text[fread(text, 1, 1023, in)] = '\0';
    fclose(in);
    unlink(path);
    return text;
}

/* A process outside of Slurm, with an empty folder first in PATH. */
static void begin(void) {
    static const char *const variables[] = {"SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID",
                                            "SLURM_RESTART_COUNT", "SLURM_JOB_END_TIME"};
    char path[256];
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", folder);
    assert_int_equal(setenv("PATH", path, 1), 0);
}

static void end(void) {
    char command[256];
    snprintf(command, sizeof command, "/bin/rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void a_job_of_an_array_is_called_by_its_index(void **state) {
    begin();
    SlurmJob job;
    assert_false(slurm_job(&job));
    setenv("SLURM_JOB_ID", "120", 1);
    assert_true(slurm_job(&job));
    assert_string_equal(job.name, "120");
    assert_int_equal(job.restarts, 0);
    setenv("SLURM_ARRAY_JOB_ID", "120", 1); /* as of the last job of an array */
    setenv("SLURM_ARRAY_TASK_ID", "3", 1);
    setenv("SLURM_RESTART_COUNT", "2", 1);
    assert_true(slurm_job(&job));
    assert_string_equal(job.name, "120_3");
    assert_int_equal(job.restarts, 2);
    end();
}

static void the_time_left_is_read_in_every_form(void **state) {
    begin();
    static const struct {
        const char *text;
        double seconds;
    } cases[] = {{"0:59", 59},       {"12:00", 720},   {"2:03:04", 7384}, {"1-02:00:05", 93605},
                 {"UNLIMITED", NAN}, {"NOT_SET", NAN}, {"", NAN}};
    const SlurmJob job = {.name = "7"};
    char body[64], text[1024];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double left_s = -1;
        Error err = {{0}};
        snprintf(body, sizeof body, "echo 'RUNNING %s'", cases[i].text);
        install("squeue", body);
        assert_int_equal(slurm_time_left(&job, &left_s, &err), STATUS_OK);
        if (isnan(cases[i].seconds))
            assert_true(isnan(left_s));
        else
            assert_near(left_s, cases[i].seconds, 0);
        assert_string_equal(asked(text), "squeue --noheader --job 7 --format=%T %L\n");
    }
    double left_s;
    snprintf(body, sizeof body, "%lld", (long long)time(NULL) + 100);
    setenv("SLURM_JOB_END_TIME", body, 1); /* then nobody is asked */
    assert_int_equal(slurm_time_left(&job, &left_s, NULL), STATUS_OK);
    assert_near(left_s, 100, 5);
    assert_string_equal(asked(text), "");
    const char *const no_times[] = {"", "0", "soon", "1e999", "170x"}; /* then squeue is */
    for (size_t i = 0; i < sizeof no_times / sizeof no_times[0]; i++) {
        setenv("SLURM_JOB_END_TIME", no_times[i], 1);
        install("squeue", "echo 'RUNNING 1:00'");
        assert_int_equal(slurm_time_left(&job, &left_s, NULL), STATUS_OK);
        assert_near(left_s, 60, 0);
    }
    end();
}

static void only_a_running_job_is_put_back_into_the_queue(void **state) {
    begin();
    const SlurmJob job = {.name = "120_3"};
    char text[1024];
    Error err = {{0}};
    install("scontrol", "");
    install("squeue", "echo RUNNING 1:00");
    assert_int_equal(slurm_requeue(&job, &err), STATUS_OK);
    assert_string_equal(asked(text), "squeue --noheader --job 120_3 --format=%T %L\nscontrol requeue 120_3\n");
    install("squeue", "echo COMPLETING 1:00"); /* as after scancel, whatever signal it sent */
    assert_int_equal(slurm_requeue(&job, &err), STATUS_FAILED);
    assert_non_null(strstr(err.text, "job 120_3 is to end (COMPLETING)"));
    assert_string_equal(asked(text), "squeue --noheader --job 120_3 --format=%T %L\n");
    end();
}

static void what_a_program_refuses_is_an_error_that_names_it(void **state) {
    begin();
    const SlurmJob job = {.name = "7"};
    Error err = {{0}};
    install("squeue", "echo RUNNING 1:00");
    install("scontrol", "exit 1");
    assert_int_equal(slurm_requeue(&job, &err), STATUS_IO);
    assert_string_equal(err.text, "scontrol requeue 7 failed: see its message above");
    assert_int_equal(slurm_release("8", &err), STATUS_IO);
    assert_string_equal(err.text, "scontrol release 8 failed: see its message above");
    setenv("PATH", "/nowhere", 1);
    assert_int_equal(slurm_cancel("8", &err), STATUS_IO);
    assert_string_equal(err.text, "scancel is not installed here: is this Slurm?");
    end();
}

static void a_script_reaches_sbatch_whole_and_its_number_comes_back(void **state) {
    begin();
    char id[16], text[1024], command[256];
    Error err = {{0}};
    char *script = malloc(300001); /* more than a pipe takes */
    assert_non_null(script);
    memset(script, 'x', 300000);
    script[300000] = '\0';
    snprintf(command, sizeof command, "wc -c >%s/bytes; echo '4711;cluster'", folder);
    install("sbatch", command);
    assert_int_equal(slurm_submit(script, id, sizeof id, &err), STATUS_OK);
    assert_string_equal(id, "4711");
    assert_string_equal(asked(text), "sbatch --parsable\n");
    snprintf(command, sizeof command, "test \"$(cat %s/bytes)\" = 300000", folder);
    assert_int_equal(system(command), 0);
    install("sbatch", "yes | head -c 300000; exit 1"); /* a long answer blocks nobody */
    assert_int_equal(slurm_submit("", id, sizeof id, &err), STATUS_IO);
    free(script);
    end();
}

/* Whether the environment that a program wrote down has this line. */
static bool has_line(const char *line) {
    char command[512];
    snprintf(command, sizeof command, "grep -qxF '%s' %s/environment", line, folder);
    return system(command) == 0;
}

static void no_habit_of_the_user_changes_what_the_programs_are_asked_or_answer(void **state) {
    static const char *const variables[][2] = {
        {"SQUEUE_FORMAT", "%i"},        {"SQUEUE_STATES", "PENDING"},  {"SCANCEL_INTERACTIVE", "1"},
        {"SLURM_TIME_FORMAT", "%H"},    {"LC_ALL", "C.UTF-8"},         {"SBATCH_WAIT", "1"},
        {"SBATCH_TIMELIMIT", "1"},      {"SBATCH_ACCOUNT", "physics"}, {"SBATCH_PARTITION", "long"},
        {"SLURM_CONF", "/etc/my.conf"}, {"HOME", "/home/me"},          {"SBATCH_QOS", "night"}};
    begin();
    const SlurmJob job = {.name = "7"};
    double left_s;
    char command[256], id[16];
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        setenv(variables[i][0], variables[i][1], 1);
    snprintf(command, sizeof command, "env >%s/environment; echo RUNNING 1:00", folder);
    install("squeue", command);
    assert_int_equal(slurm_time_left(&job, &left_s, NULL), STATUS_OK);
    assert_false(has_line("SQUEUE_FORMAT=%i") || has_line("SQUEUE_STATES=PENDING") || has_line("SLURM_TIME_FORMAT=%H"));
    assert_false(has_line("SCANCEL_INTERACTIVE=1") || has_line("LC_ALL=C.UTF-8"));
    assert_true(has_line("LC_ALL=C") && has_line("SLURM_CONF=/etc/my.conf") && has_line("HOME=/home/me"));
    snprintf(command, sizeof command, "env >%s/environment; echo 12", folder);
    install("sbatch", command);
    const char script[] = "#!/bin/bash\n#SBATCH --time=0-01:00:00\n#SBATCH --partition=short\n#SBATCH --qos-like=1\n";
    assert_int_equal(slurm_submit(script, id, sizeof id, NULL), STATUS_OK);
    assert_false(has_line("SBATCH_WAIT=1") || has_line("SBATCH_TIMELIMIT=1") || has_line("SBATCH_PARTITION=long"));
    assert_true(has_line("SBATCH_ACCOUNT=physics") && has_line("SBATCH_QOS=night") && has_line("LC_ALL=C.UTF-8"));
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i][0]);
    end();
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_of_an_array_is_called_by_its_index),
        cmocka_unit_test(the_time_left_is_read_in_every_form),
        cmocka_unit_test(only_a_running_job_is_put_back_into_the_queue),
        cmocka_unit_test(what_a_program_refuses_is_an_error_that_names_it),
        cmocka_unit_test(a_script_reaches_sbatch_whole_and_its_number_comes_back),
        cmocka_unit_test(no_habit_of_the_user_changes_what_the_programs_are_asked_or_answer),
    };
    return run_tests(tests, argc, argv);
}
