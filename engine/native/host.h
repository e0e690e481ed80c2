/**
 * Functions of the addon that work on arrays of the program itself, without tensors. One is a C++ function
 *
 *   void name(const Arguments&)       checks sizes, works, throws an OpError for what is wrong
 *
 * and one line `PIPELINE_HOST(name)`. It returns nothing: results go into arrays that it is given. What gives a promise adds
 * itself to `hostFunctions()`.
 */
#pragma once
#include <node_api.h>

#include <string>
#include <vector>

#include "op.h"

namespace pipeline {

/** The memory of a typed array, valid during the call. */
template <class T>
struct Values {
  T* data;
  int64_t size;
};

/** What a call was given. */
class Arguments {
 public:
  static constexpr size_t kMost = 8;

  Arguments(napi_env env, napi_callback_info info) : env_(env), count_(kMost) {
    require(napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) == napi_ok, "The arguments could not be read.");
  }

  Values<float> floats(size_t index) const { return array<float>(index, napi_float32_array); }
  Values<double> doubles(size_t index) const { return array<double>(index, napi_float64_array); }
  Values<uint16_t> shorts(size_t index) const { return array<uint16_t>(index, napi_uint16_array); }
  Values<uint32_t> words(size_t index) const { return array<uint32_t>(index, napi_uint32_array); }

  /** The memory of an array of any type. */
  Values<char> bytes(size_t index) const {
    static constexpr int64_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    napi_typedarray_type type;
    size_t size = 0;
    void* data = nullptr;
    require(index < count_ && napi_get_typedarray_info(env_, values_[index], &type, &size, &data, nullptr, nullptr) == napi_ok &&
                type <= napi_biguint64_array,
            "Argument " + std::to_string(index) + " is not an array.");
    return {static_cast<char*>(data), static_cast<int64_t>(size) * sizes[type]};
  }

  napi_value value(size_t index) const { return values_[index]; }

  int64_t integer(size_t index) const {
    int64_t value = 0;
    require(index < count_ && napi_get_value_int64(env_, values_[index], &value) == napi_ok,
            "Argument " + std::to_string(index) + " must be a number.");
    return value;
  }

 private:
  template <class T>
  Values<T> array(size_t index, napi_typedarray_type wanted) const {
    napi_typedarray_type type;
    size_t size = 0;
    void* data = nullptr;
    require(index < count_ && napi_get_typedarray_info(env_, values_[index], &type, &size, &data, nullptr, nullptr) == napi_ok &&
                type == wanted,
            "Argument " + std::to_string(index) + " is not an array of the right type.");
    return {static_cast<T*>(data), static_cast<int64_t>(size)};
  }

  napi_env env_;
  size_t count_;
  napi_value values_[kMost];
};

struct HostFunction {
  const char* name;
  napi_callback call;
};

/** Every such function of the addon; each file adds its own while the library loads. */
std::vector<HostFunction>& hostFunctions();

template <void (*Body)(const Arguments&)>
struct HostRegistration {
  explicit HostRegistration(const char* name) { hostFunctions().push_back({name, call}); }

  static napi_value call(napi_env env, napi_callback_info info) {
    try {
      Body(Arguments(env, info));
    } catch (const std::exception& error) {
      napi_throw_error(env, nullptr, error.what());
    }
    return nullptr;
  }
};

#define PIPELINE_HOST(FUNCTION) static const ::pipeline::HostRegistration<FUNCTION> host##FUNCTION(#FUNCTION)

}  // namespace pipeline
