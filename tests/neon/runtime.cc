/**
 * What the ops need of TensorFlow, without TensorFlow: this and `engine/native` make a program for a processor that the machine
 * lacks, to be run under an emulator. It reads calls from its input and writes their outputs, in the machine's byte order:
 *
 *   list                       answered by a line for each op and each function on arrays, and one that is empty
 *   op NAME, then lines
 *     attr NAME VALUE          whole numbers, decimals, and 0 or 1
 *     in f|i RANK SIZES…       and the bytes
 *     run OUTPUTS              answered by `out f|i RANK SIZES…` with bytes for each, then by each input as it is now, then `done`;
 *                              or by `error MESSAGE`
 *   host NAME, then lines
 *     array TYPE COUNT BYTES   of N-API's type, and the bytes
 *     number VALUE
 *     call                     answered by `array COUNT` with the bytes of each array as it is now, then `done`; or by `error MESSAGE`
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "calls.h"
#include "op.h"
#include "threads.h"

// TF_Status is another name of it.
struct TSL_Status {
  TF_Code code = TF_OK;
  std::string message;
};

struct TF_Tensor {
  TF_DataType type;
  std::vector<int64_t> dims;
  std::shared_ptr<void> data;
  int64_t elements() const {
    int64_t product = 1;
    for (int64_t size : dims) product *= size;
    return product;
  }
  static TF_Tensor make(TF_DataType type, std::vector<int64_t> dims) {
    TF_Tensor tensor{type, std::move(dims), nullptr};
    const size_t bytes = (static_cast<size_t>(tensor.elements()) * 4 / 64 + 1) * 64;
    tensor.data.reset(std::aligned_alloc(64, bytes), std::free);
    return tensor;
  }
};

struct TF_OpKernelConstruction {
  std::map<std::string, std::string> attributes;
};

struct TF_OpKernelContext {
  std::vector<TF_Tensor> inputs, outputs;
  std::string error;
};

extern "C" {
TF_Status* TF_NewStatus() { return new TF_Status(); }
void TF_DeleteStatus(TF_Status* status) { delete status; }
void TF_SetStatus(TF_Status* status, TF_Code code, const char* message) {
  status->code = code;
  status->message = message;
}
TF_Code TF_GetCode(const TF_Status* status) { return status->code; }
const char* TF_Message(const TF_Status* status) { return status->message.c_str(); }

size_t TF_DataTypeSize(TF_DataType) { return 4; }
int TF_NumDims(const TF_Tensor* tensor) { return static_cast<int>(tensor->dims.size()); }
int64_t TF_Dim(const TF_Tensor* tensor, int axis) { return tensor->dims[axis]; }
int64_t TF_TensorElementCount(const TF_Tensor* tensor) { return tensor->elements(); }
void* TF_TensorData(const TF_Tensor* tensor) { return tensor->data.get(); }
void TF_DeleteTensor(TF_Tensor* tensor) { delete tensor; }

void TF_GetInput(TF_OpKernelContext* context, int index, TF_Tensor** tensor, TF_Status*) {
  *tensor = new TF_Tensor(context->inputs[index]);
}
TF_Tensor* TF_AllocateOutput(TF_OpKernelContext* context, int index, TF_DataType type, const int64_t* dims, int rank, size_t,
                             TF_Status*) {
  context->outputs[index] = TF_Tensor::make(type, std::vector<int64_t>(dims, dims + rank));
  return new TF_Tensor(context->outputs[index]);
}
void TF_SetOutput(TF_OpKernelContext* context, int index, const TF_Tensor* tensor, TF_Status*) {
  context->outputs[index] = *tensor;
}
void TF_OpKernelContext_Failure(TF_OpKernelContext* context, TF_Status* status) { context->error = status->message; }
void TF_OpKernelConstruction_Failure(TF_OpKernelConstruction*, TF_Status* status) {
  std::fprintf(stderr, "%s\n", status->message.c_str());
  std::exit(1);
}

void TF_OpKernelConstruction_GetAttrInt64(TF_OpKernelConstruction* construction, const char* name, int64_t* value, TF_Status*) {
  *value = std::atoll(construction->attributes.at(name).c_str());
}
void TF_OpKernelConstruction_GetAttrFloat(TF_OpKernelConstruction* construction, const char* name, float* value, TF_Status*) {
  *value = static_cast<float>(std::atof(construction->attributes.at(name).c_str()));
}
void TF_OpKernelConstruction_GetAttrBool(TF_OpKernelConstruction* construction, const char* name, TF_Bool* value, TF_Status*) {
  *value = construction->attributes.at(name) == "1";
}
}

namespace pipeline {
std::vector<OpDefinition>& definitions() {
  static auto* const all = new std::vector<OpDefinition>();
  return *all;
}
}  // namespace pipeline

namespace {

bool readLine(std::string& line) {
  line.clear();
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c == '\n') return true;
    line.push_back(static_cast<char>(c));
  }
  return false;
}

TF_Tensor readTensor(std::istringstream& words) {
  std::string type;
  int rank = 0;
  words >> type >> rank;
  std::vector<int64_t> dims(rank);
  for (int64_t& size : dims) words >> size;
  TF_Tensor tensor = TF_Tensor::make(type == "f" ? TF_FLOAT : TF_INT32, dims);
  const size_t count = static_cast<size_t>(tensor.elements());
  if (std::fread(tensor.data.get(), 4, count, stdin) != count) std::exit(2);
  return tensor;
}

void writeTensor(const TF_Tensor& tensor) {
  std::printf("out %s %zu", tensor.type == TF_FLOAT ? "f" : "i", tensor.dims.size());
  for (int64_t size : tensor.dims) std::printf(" %lld", static_cast<long long>(size));
  std::printf("\n");
  std::fwrite(tensor.data.get(), 4, static_cast<size_t>(tensor.elements()), stdout);
}

void run(const std::string& name, TF_OpKernelConstruction& construction, TF_OpKernelContext& context) {
  for (const pipeline::OpDefinition& op : pipeline::definitions()) {
    if (name != op.name) continue;
    void* const made = op.create(&construction);
    op.compute(made, &context);
    op.destroy(made);
    if (!context.error.empty()) {
      std::printf("error %s\n", context.error.c_str());
      return;
    }
    for (const TF_Tensor& tensor : context.outputs) writeTensor(tensor);
    for (const TF_Tensor& tensor : context.inputs) writeTensor(tensor);
    std::printf("done\n");
    return;
  }
  std::printf("error there is no op %s\n", name.c_str());
}

HostValue readArray(std::istringstream& words) {
  HostValue value{};
  size_t bytes = 0;
  words >> value.type >> value.count >> bytes;
  value.bytes.resize(bytes);
  if (std::fread(value.bytes.data(), 1, bytes, stdin) != bytes) std::exit(2);
  return value;
}

void runHost(const std::string& name, std::vector<HostValue>& given) {
  const std::string error = callHost(name, given);
  if (!error.empty()) {
    std::printf("error %s\n", error.c_str());
    return;
  }
  for (const HostValue& value : given) {
    if (value.type < 0) continue;
    std::printf("array %zu\n", value.bytes.size());
    std::fwrite(value.bytes.data(), 1, value.bytes.size(), stdout);
  }
  std::printf("done\n");
}

}  // namespace

int main() {
  pipeline::setThreadCount(2);
  std::string line, word, name, value;
  TF_OpKernelConstruction construction;
  TF_OpKernelContext context;
  std::vector<HostValue> given;
  while (readLine(line)) {
    std::istringstream words(line);
    words >> word;
    if (word == "list") {
      for (const pipeline::OpDefinition& op : pipeline::definitions()) std::printf("%s\n", op.name);
      for (const std::string& each : hostNames()) std::printf("%s\n", each.c_str());
      std::printf("\n");
    } else if (word == "op") {
      words >> name;
      construction = {};
      context = {};
    } else if (word == "host") {
      words >> name;
      given.clear();
    } else if (word == "array") {
      given.push_back(readArray(words));
    } else if (word == "number") {
      HostValue number{-1, 0, {}};
      words >> number.count;
      given.push_back(std::move(number));
    } else if (word == "call") {
      runHost(name, given);
    } else if (word == "attr") {
      std::string key;
      words >> key >> value;
      construction.attributes[key] = value;
    } else if (word == "in") {
      context.inputs.push_back(readTensor(words));
    } else {
      size_t outputs = 0;
      words >> outputs;
      context.outputs.resize(outputs);
      run(name, construction, context);
    }
    std::fflush(stdout);
  }
}
