# Writes version.h, and only when it changed: program version, commit, dirty flag, compiler and flags.
cmake_minimum_required(VERSION 3.23)
find_package(Git QUIET)
set(commit "unknown commit")
if(GIT_FOUND)
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} describe --always --abbrev=12 --dirty=-dirty
                    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
        set(commit "${described}")
    endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
"/* Made by the build (cli/version.cmake). */
#define PALINODE_VERSION \"@VERSION@\"
#define PALINODE_COMMIT \"@commit@\"
#define PALINODE_BUILD \"@BUILD@\"
" @ONLY)
