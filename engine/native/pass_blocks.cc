/** Reading and packing the weights of the blocks that a pass goes through. */
#include "pass_blocks.h"

#include "gemm.h"
#include "threads.h"

namespace pipeline {
namespace {

struct PackArgs {
  const Layer* layers;
  bool transposed;
};

template <int W>
PIPELINE_INLINE void packLayers(const PackArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const Layer& layer = args.layers[i];
    for (int64_t column = 0; column < layer.outputs; column += kPanel<W>)
      packPanel<W>(layer.weight, layer.inputs, layer.outputs, args.transposed, column, layer.packed + column * layer.inputs);
  }
}
PIPELINE_KERNEL(packAll, packLayers, PackArgs)

/** Inputs of one block among the weights, empty where it has none. */
enum BlockInput {
  kGain1, kBias1, kGain2, kBias2, kQ, kQBias, kK, kKBias, kV, kVBias, kOut, kOutBias, kGate, kGateBias, kUp, kUpBias, kDown,
  kDownBias, kBlockInputs
};

/** Columns of a layer with those that fill its last panel. */
int64_t panelled(const Layer& layer) { return (layer.outputs + panelColumns() - 1) / panelColumns() * panelColumns(); }

}  // namespace

RowNorm Blocks::normOf(const Tensor& gain, const Tensor& bias, int64_t width) const {
  require((gain.size() == 0 || gain.size() == width) && (bias.size() == 0 || bias.size() == width),
          "edited pass: gain and bias of a norm must be as wide as the residual.");
  return {gain.size() ? gain.floats() : nullptr, bias.size() ? bias.floats() : nullptr, width, epsilon, centre};
}

Layer Blocks::layerOf(const Tensor& weight, const Tensor& bias, int64_t inputs, int64_t outputs, const char* what) const {
  if (weight.size() == 0) return {};
  require(weight.rank() == 2 && weight.dim(transposed ? 1 : 0) == inputs && weight.dim(transposed ? 0 : 1) == outputs &&
              (bias.size() == 0 || bias.size() == outputs),
          std::string("edited pass: ") + what + " must take " + std::to_string(inputs) + " values to " +
              std::to_string(outputs) + ".");
  return {weight.floats(), bias.size() ? bias.floats() : nullptr, inputs, outputs, nullptr};
}

void Blocks::read(const Call& call, int first, Held& held) const {
  require(heads > 0 && kvHeads > 0 && headDim > 0 && heads % kvHeads == 0 && 2 * pairs <= headDim && count >= 0,
          "edited pass: heads must be a multiple of kvHeads, and rotate no more than they have.");
  for (int i = 0; i < 4 + count * kBlockInputs + 2; i++) held.tensors.push_back(call.input(first + i));
  const Tensor &x = held.tensors[0], &cosines = held.tensors[1], &sines = held.tensors[2], &scales = held.tensors[3];
  require(x.rank() == 2, "edited pass: x must be [position, width].");
  const int64_t positions = x.dim(0), width = x.dim(1);
  require(scales.size() == count, "edited pass: there must be a scale for each block.");
  require(cosines.size() == sines.size() && (cosines.size() == 0 || cosines.size() == positions * headDim),
          "edited pass: cosines and sines must be [position, headDim].");
  const bool rotates = cosines.size() > 0;
  held.shape = {width, heads, kvHeads, headDim, 0, positions, static_cast<Activation>(activation),
                rotates ? cosines.floats() : nullptr, rotates ? sines.floats() : nullptr, pairs, neighbours};
  const int64_t queries = held.shape.queries(), keys = held.shape.keys();
  held.blocks.resize(static_cast<size_t>(count));
  for (int64_t b = 0; b < count; b++) {
    const Tensor* const own = held.tensors.data() + 4 + b * kBlockInputs;
    Block& block = held.blocks[b];
    require(own[kUp].rank() == 2, "edited pass: the hidden layer must be a matrix.");
    const int64_t hidden = own[kUp].dim(transposed ? 0 : 1);
    require(b == 0 || hidden == held.shape.hidden, "edited pass: hidden layers must be of one width.");
    held.shape.hidden = hidden;
    block.before = normOf(own[kGain1], own[kBias1], width);
    block.middle = normOf(own[kGain2], own[kBias2], width);
    const bool together = own[kK].size() == 0;
    block.q = layerOf(own[kQ], own[kQBias], width, together ? held.shape.projected() : queries, "the query layer");
    block.k = layerOf(own[kK], own[kKBias], width, keys, "the key layer");
    block.v = layerOf(own[kV], own[kVBias], width, keys, "the value layer");
    block.out = layerOf(own[kOut], own[kOutBias], queries, width, "the output layer");
    block.gate = layerOf(own[kGate], own[kGateBias], width, hidden, "the gate layer");
    block.up = layerOf(own[kUp], own[kUpBias], width, hidden, "the hidden layer");
    block.down = layerOf(own[kDown], own[kDownBias], hidden, width, "the last layer");
    require(block.q.weight && block.out.weight && block.up.weight && block.down.weight && (together || block.v.weight),
            "edited pass: a block lacks a layer.");
    block.scale = scales.floats()[b];
  }
  for (Block& block : held.blocks)
    for (Layer* layer : {&block.q, &block.k, &block.v, &block.out, &block.gate, &block.up, &block.down})
      if (layer->weight) {
        held.layers.push_back(layer);
        held.packed += panelled(*layer) * layer->inputs;
      }
  const size_t behind = 4 + static_cast<size_t>(count) * kBlockInputs;
  held.last = normOf(held.tensors[behind], held.tensors[behind + 1], width);
}

void Blocks::pack(Held& held, float* memory) const {
  std::vector<Layer> layers;
  for (Layer* layer : held.layers) {
    layer->packed = memory;
    memory += panelled(*layer) * layer->inputs;
    layers.push_back(*layer);
  }
  const PackArgs args{layers.data(), transposed};
  parallel(static_cast<int64_t>(layers.size()), 1, [&](int64_t begin, int64_t end) { packAll(args, begin, end); });
}

PassArgs Blocks::pass(const Held& held) const {
  PassArgs args{};
  args.blocks = held.blocks.data();
  args.count = count;
  args.last = held.last;
  args.shape = held.shape;
  args.x = held.tensors[0].floats();
  return args;
}

}  // namespace pipeline
