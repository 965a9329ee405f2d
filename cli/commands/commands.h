/* The subcommands: each parses its own command line (argv[0] is its name) and returns the program's exit code. */
#ifndef CLI_COMMANDS_COMMANDS_H
#define CLI_COMMANDS_COMMANDS_H

int command_run(int argc, char **argv);
int command_plan(int argc, char **argv);
int command_status(int argc, char **argv);
int command_analyze(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_export(int argc, char **argv);
int command_merge(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_evaluate(int argc, char **argv);
int command_predict(int argc, char **argv);
int command_train(int argc, char **argv);
int command_model(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_theory(int argc, char **argv);
int command_submit(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_settings(int argc, char **argv);

#endif
