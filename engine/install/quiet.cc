/**
 * Holds back what a library writes to standard error while it loads, and gives it to JavaScript to judge.
 *
 *   begin()          standard error goes to an unnamed temporary file
 *   end() -> string  standard error is itself again; what was written
 *
 * Nothing is lost in a crash: on a fatal signal, or when the library ends the process, all of it is written out first.
 */
#include <fcntl.h>
#include <node_api.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

namespace {

const int kFatal[] = {SIGABRT, SIGSEGV, SIGILL, SIGBUS, SIGFPE};
const int kFatalCount = sizeof(kFatal) / sizeof(kFatal[0]);
struct sigaction previous[kFatalCount];
int terminal = -1;
int held = -1;

/** Safe in a signal handler: system calls alone. */
void letOut() {
  if (held < 0) return;
  const int file = held;
  held = -1;
  dup2(terminal, STDERR_FILENO);
  lseek(file, 0, SEEK_SET);
  char buffer[4096];
  ssize_t count;
  while ((count = read(file, buffer, sizeof buffer)) > 0) {
    if (write(STDERR_FILENO, buffer, static_cast<size_t>(count)) < 0) break;
  }
}

void onFatal(int signal) {
  letOut();
  ::signal(signal, SIG_DFL);
  raise(signal);
}

int temporaryFile() {
  const char* folder = getenv("TMPDIR");
  std::string name = std::string(folder && *folder ? folder : "/tmp") + "/pipeline-XXXXXX";
  const int file = mkstemp(&name[0]);
  if (file >= 0) {
    unlink(name.c_str());
    fcntl(file, F_SETFD, FD_CLOEXEC);
  }
  return file;
}

napi_value begin(napi_env, napi_callback_info) {
  if (held >= 0) return nullptr;
  const int file = temporaryFile();
  if (file < 0) return nullptr;  // then nothing is held back
  terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (terminal < 0 || dup2(file, STDERR_FILENO) < 0) {
    close(file);
    return nullptr;
  }
  held = file;
  static bool once = (atexit(letOut), true);
  (void)once;
  struct sigaction action = {};
  action.sa_handler = onFatal;
  for (int i = 0; i < kFatalCount; i++) sigaction(kFatal[i], &action, &previous[i]);
  return nullptr;
}

napi_value end(napi_env env, napi_callback_info) {
  std::string text;
  if (held >= 0) {
    for (int i = 0; i < kFatalCount; i++) sigaction(kFatal[i], &previous[i], nullptr);
    dup2(terminal, STDERR_FILENO);
    lseek(held, 0, SEEK_SET);
    char buffer[4096];
    ssize_t count;
    while ((count = read(held, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(count));
    close(held);
    close(terminal);
    held = -1;
  }
  napi_value result = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &result);
  return result;
}

napi_value initialise(napi_env env, napi_value exports) {
  napi_value function = nullptr;
  napi_create_function(env, "begin", NAPI_AUTO_LENGTH, begin, nullptr, &function);
  napi_set_named_property(env, exports, "begin", function);
  napi_create_function(env, "end", NAPI_AUTO_LENGTH, end, nullptr, &function);
  napi_set_named_property(env, exports, "end", function);
  return exports;
}

}  // namespace

NAPI_MODULE(quiet, initialise)
