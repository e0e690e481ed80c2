/**
 * What the addon's functions on arrays need of Node, without Node: arrays and numbers that `runtime.cc` read, and errors that it writes.
 */
#include "host.h"

#include "calls.h"

struct napi_callback_info__ {
  std::vector<HostValue>* given;
  std::string error;
};

extern "C" {
napi_status napi_get_cb_info(napi_env, napi_callback_info info, size_t* count, napi_value* values, napi_value*, void**) {
  *count = info->given->size();
  for (size_t i = 0; i < *count; i++) values[i] = reinterpret_cast<napi_value>(&(*info->given)[i]);
  return napi_ok;
}

napi_status napi_get_typedarray_info(napi_env, napi_value value, napi_typedarray_type* type, size_t* size, void** data, napi_value*,
                                     size_t*) {
  HostValue* const array = reinterpret_cast<HostValue*>(value);
  if (array->type < 0) return napi_invalid_arg;
  *type = static_cast<napi_typedarray_type>(array->type);
  *size = static_cast<size_t>(array->count);
  *data = array->bytes.data();
  return napi_ok;
}

napi_status napi_get_value_int64(napi_env, napi_value value, int64_t* number) {
  if (reinterpret_cast<HostValue*>(value)->type >= 0) return napi_number_expected;
  *number = reinterpret_cast<HostValue*>(value)->count;
  return napi_ok;
}

// The environment is the call's own record.
napi_status napi_throw_error(napi_env env, const char*, const char* message) {
  reinterpret_cast<napi_callback_info>(env)->error = message;
  return napi_ok;
}
}

namespace pipeline {
std::vector<HostFunction>& hostFunctions() {
  static auto* const all = new std::vector<HostFunction>();
  return *all;
}
}  // namespace pipeline

std::vector<std::string> hostNames() {
  std::vector<std::string> names;
  for (const pipeline::HostFunction& each : pipeline::hostFunctions()) names.push_back(each.name);
  return names;
}

std::string callHost(const std::string& name, std::vector<HostValue>& given) {
  for (const pipeline::HostFunction& each : pipeline::hostFunctions()) {
    if (name != each.name) continue;
    napi_callback_info__ info{&given, ""};
    each.call(reinterpret_cast<napi_env>(&info), &info);
    return info.error;
  }
  return "there is no function " + name;
}
