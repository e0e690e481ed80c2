/** Reading the inputs of a linear layer. */
#include "linear.h"

namespace pipeline {

LinearCall readLinear(const Call& call, bool transposed, After after) {
  Tensor x = call.input(0), weight = call.input(1), bias = call.input(2), residual = call.input(3);
  require(x.rank() >= 1 && weight.rank() == 2, "linear: x must have an axis and the weight two.");
  const int64_t inputs = x.dim(-1), outputs = weight.dim(transposed ? 0 : 1), rows = x.rows();
  require(weight.dim(transposed ? 1 : 0) == inputs, "linear: x has " + std::to_string(inputs) + " columns, but the weight takes " +
                                                        std::to_string(weight.dim(transposed ? 1 : 0)) + ".");
  require(bias.size() == 0 || bias.size() == outputs, "linear: the bias must be one row of outputs.");
  std::vector<int64_t> shape = x.shape();
  shape.back() = outputs;
  require(residual.size() == 0 || residual.size() == rows * outputs, "linear: the residual must have the output's shape.");
  require(inputs > 0 || rows * outputs == 0, "linear: x has no columns.");
  Tensor y = call.floats(0, shape);
  const LinearLayer layer{x.floats(),
                          weight.floats(),
                          bias.size() ? bias.floats() : nullptr,
                          residual.size() ? residual.floats() : nullptr,
                          y.floats(),
                          rows,
                          inputs,
                          outputs,
                          transposed,
                          after};
  return {std::move(x), std::move(weight), std::move(bias), std::move(residual), std::move(y), layer};
}

}  // namespace pipeline
