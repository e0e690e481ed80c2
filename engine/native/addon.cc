/** The addon's entry: registers every op with TensorFlow, once a process, and tells Node what it is. */
#include <node_api.h>

#include <mutex>
#include <string>

#include "host.h"
#include "isa.h"
#include "op.h"
#include "packed.h"
#include "threads.h"

namespace pipeline {

std::vector<OpDefinition>& definitions() {
  static auto* const all = new std::vector<OpDefinition>();
  return *all;
}

std::vector<HostFunction>& hostFunctions() {
  static auto* const all = new std::vector<HostFunction>();
  return *all;
}

namespace {

/** Empty, or what went wrong. */
std::string registerAll() {
  TF_Status* status = TF_NewStatus();
  std::string error;
  for (const OpDefinition& op : definitions()) {
    TF_OpDefinitionBuilder* definition = TF_NewOpDefinitionBuilder(op.name);
    for (const char* attribute : op.attributes) TF_OpDefinitionBuilderAddAttr(definition, attribute);
    for (const char* input : op.inputs) TF_OpDefinitionBuilderAddInput(definition, input);
    for (const char* output : op.outputs) TF_OpDefinitionBuilderAddOutput(definition, output);
    // Never folded or shared: some ops change their inputs, and their order matters.
    TF_OpDefinitionBuilderSetIsStateful(definition, true);
    TF_RegisterOpDefinition(definition, status);
    if (TF_GetCode(status) == TF_OK) {
      TF_KernelBuilder* kernel = TF_NewKernelBuilder(op.name, "CPU", op.create, op.compute, op.destroy);
      TF_RegisterKernelBuilder(op.name, kernel, status);
    }
    if (TF_GetCode(status) != TF_OK) {
      error = std::string(op.name) + ": " + TF_Message(status);
      break;
    }
  }
  TF_DeleteStatus(status);
  return error;
}

napi_value setThreads(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  int32_t threads = 1;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) == napi_ok && count == 1 &&
      napi_get_value_int32(env, argument, &threads) == napi_ok)
    setThreadCount(threads);
  return nullptr;
}

napi_value release(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  int32_t id = 0;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) == napi_ok && count == 1 &&
      napi_get_value_int32(env, argument, &id) == napi_ok)
    releaseWeight(id);
  return nullptr;
}

/** Takes the name of an instruction set and returns the one in use then. */
napi_value setInstructions(napi_env env, napi_callback_info info) {
  size_t count = 1, length = 0;
  napi_value argument = nullptr, text = nullptr;
  char name[16] = "";
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) == napi_ok && count == 1 &&
      napi_get_value_string_utf8(env, argument, name, sizeof name, &length) == napi_ok)
    setIsa(name);
  napi_create_string_utf8(env, nameOf(isa()), NAPI_AUTO_LENGTH, &text);
  return text;
}

napi_value initialise(napi_env env, napi_value exports) {
  static std::once_flag once;
  static std::string error;
  std::call_once(once, [] { error = registerAll(); });
  if (!error.empty()) {
    napi_throw_error(env, nullptr, error.c_str());
    return exports;
  }
  napi_value names = nullptr, text = nullptr, function = nullptr;
  napi_create_array(env, &names);
  for (uint32_t i = 0; i < definitions().size(); i++) {
    napi_create_string_utf8(env, definitions()[i].name, NAPI_AUTO_LENGTH, &text);
    napi_set_element(env, names, i, text);
  }
  napi_set_named_property(env, exports, "ops", names);
  napi_create_array(env, &names);
  for (uint32_t i = 0, count = 0; i < kIsas; i++) {
    if (!hasIsa(static_cast<Isa>(i))) continue;
    napi_create_string_utf8(env, nameOf(static_cast<Isa>(i)), NAPI_AUTO_LENGTH, &text);
    napi_set_element(env, names, count++, text);
  }
  napi_set_named_property(env, exports, "instructions", names);
  napi_value functions = nullptr;
  napi_create_object(env, &functions);
  for (const HostFunction& one : hostFunctions()) {
    napi_create_function(env, one.name, NAPI_AUTO_LENGTH, one.call, nullptr, &function);
    napi_set_named_property(env, functions, one.name, function);
  }
  napi_set_named_property(env, exports, "functions", functions);
  napi_create_function(env, "setInstructions", NAPI_AUTO_LENGTH, setInstructions, nullptr, &function);
  napi_set_named_property(env, exports, "setInstructions", function);
  napi_create_function(env, "release", NAPI_AUTO_LENGTH, release, nullptr, &function);
  napi_set_named_property(env, exports, "release", function);
  napi_create_function(env, "setThreads", NAPI_AUTO_LENGTH, setThreads, nullptr, &function);
  napi_set_named_property(env, exports, "setThreads", function);
  return exports;
}

}  // namespace
}  // namespace pipeline

NAPI_MODULE(pipeline_ops, pipeline::initialise)
