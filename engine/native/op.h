/**
 * What a kernel file needs of TensorFlow's C API. An op is a struct with
 *
 *   explicit Op(Attributes&)          reads its attributes
 *   void compute(Call&) const         checks shapes, fills outputs
 *
 * and one line `PIPELINE_OP(Struct, "PipelineName", {"attr: int"}, {"x: float"}, {"y: float"})`. What changes from call to
 * call must be an input: TensorFlow keeps a kernel for each set of attribute values.
 */
#pragma once
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

namespace pipeline {

/** A wrong argument; its text becomes the op's error in TypeScript. */
struct OpError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string& message) {
  if (!holds) throw OpError(message);
}

/** A tensor of a call, owned here as long as the call. */
class Tensor {
 public:
  explicit Tensor(TF_Tensor* tensor) : tensor_(tensor) {}
  Tensor(Tensor&& other) noexcept : tensor_(other.tensor_) { other.tensor_ = nullptr; }
  Tensor(const Tensor&) = delete;
  ~Tensor() {
    if (tensor_) TF_DeleteTensor(tensor_);
  }

  int rank() const { return TF_NumDims(tensor_); }
  /** Size of an axis; a negative one counts from the end. */
  int64_t dim(int axis) const { return TF_Dim(tensor_, axis < 0 ? rank() + axis : axis); }
  int64_t size() const { return TF_TensorElementCount(tensor_); }
  /** Product of all axes but the last. */
  int64_t rows() const {
    int64_t product = 1;
    for (int axis = 0; axis + 1 < rank(); axis++) product *= dim(axis);
    return product;
  }
  std::vector<int64_t> shape() const {
    std::vector<int64_t> dims(rank());
    for (int axis = 0; axis < rank(); axis++) dims[axis] = dim(axis);
    return dims;
  }
  float* floats() const { return static_cast<float*>(TF_TensorData(tensor_)); }
  int32_t* ints() const { return static_cast<int32_t*>(TF_TensorData(tensor_)); }
  TF_Tensor* handle() const { return tensor_; }

 private:
  TF_Tensor* tensor_;
};

/** One execution of an op. */
class Call {
 public:
  Call(TF_OpKernelContext* context, TF_Status* status) : context_(context), status_(status) {}

  Tensor input(int index) const {
    TF_Tensor* tensor = nullptr;
    TF_GetInput(context_, index, &tensor, status_);
    check();
    return Tensor(tensor);
  }
  Tensor floats(int index, const std::vector<int64_t>& shape) const { return output(index, TF_FLOAT, shape); }
  Tensor ints(int index, const std::vector<int64_t>& shape) const { return output(index, TF_INT32, shape); }
  /** Makes an output share an input's memory, which the op has changed in place. */
  void forward(int index, const Tensor& tensor) const {
    TF_SetOutput(context_, index, tensor.handle(), status_);
    check();
  }

 private:
  Tensor output(int index, TF_DataType type, const std::vector<int64_t>& shape) const {
    size_t bytes = TF_DataTypeSize(type);
    for (int64_t size : shape) bytes *= static_cast<size_t>(size);
    TF_Tensor* tensor = TF_AllocateOutput(context_, index, type, shape.data(), static_cast<int>(shape.size()), bytes, status_);
    check();
    return Tensor(tensor);
  }
  void check() const {
    if (TF_GetCode(status_) != TF_OK) throw OpError(TF_Message(status_));
  }

  TF_OpKernelContext* context_;
  TF_Status* status_;
};

/** The attributes of an op while its kernel is made. */
class Attributes {
 public:
  Attributes(TF_OpKernelConstruction* construction, TF_Status* status) : construction_(construction), status_(status) {}
  int64_t integer(const char* name) const {
    int64_t value = 0;
    TF_OpKernelConstruction_GetAttrInt64(construction_, name, &value, status_);
    return value;
  }
  float number(const char* name) const {
    float value = 0;
    TF_OpKernelConstruction_GetAttrFloat(construction_, name, &value, status_);
    return value;
  }
  bool flag(const char* name) const {
    TF_Bool value = 0;
    TF_OpKernelConstruction_GetAttrBool(construction_, name, &value, status_);
    return value != 0;
  }

 private:
  TF_OpKernelConstruction* construction_;
  TF_Status* status_;
};

/** An op as it is made known to TensorFlow. */
struct OpDefinition {
  const char* name;
  std::vector<const char*> attributes, inputs, outputs;
  void* (*create)(TF_OpKernelConstruction*);
  void (*compute)(void*, TF_OpKernelContext*);
  void (*destroy)(void*);
};

/** Every op of the addon; each kernel file adds its own while the library loads. */
std::vector<OpDefinition>& definitions();

template <class Op>
struct Registration {
  Registration(const char* name, std::initializer_list<const char*> attributes, std::initializer_list<const char*> inputs,
               std::initializer_list<const char*> outputs) {
    definitions().push_back({name, attributes, inputs, outputs, create, compute, destroy});
  }

  static void* create(TF_OpKernelConstruction* construction) {
    TF_Status* status = TF_NewStatus();
    Attributes attributes(construction, status);
    Op* op = new Op(attributes);
    if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
    TF_DeleteStatus(status);
    return op;
  }
  static void compute(void* op, TF_OpKernelContext* context) {
    TF_Status* status = TF_NewStatus();
    try {
      Call call(context, status);
      static_cast<const Op*>(op)->compute(call);
    } catch (const std::exception& error) {
      TF_SetStatus(status, TF_INVALID_ARGUMENT, error.what());
      TF_OpKernelContext_Failure(context, status);
    }
    TF_DeleteStatus(status);
  }
  static void destroy(void* op) { delete static_cast<Op*>(op); }
};

#define PIPELINE_OP(OP, NAME, ...) static const ::pipeline::Registration<OP> registration##OP(NAME, __VA_ARGS__)

}  // namespace pipeline
