#include "polydomain/row_scorer.h"

#include <algorithm>
#include <optional>

#include "core/recently_used.h"
#include "cpu/packed_weights.h"
#include "effective_lookup.h"
#include "memory_plan.h"
#include "rewrite.h"

namespace polydomain {

namespace {

// Values of a graph that do not depend on the row, in memory of their own.
struct Constants {
  std::vector<std::vector<float>> values;                    // as Impl::keptValues_
  std::vector<std::unique_ptr<cpu::PackedWeights>> weights;  // as Impl::packed_
  int64_t bytes = 0;
};

// What is kept of a domain; what it does not have of its own is the shared constants'.
struct Domain {
  std::vector<int32_t> key;  // overlay, and the inputs that name the domain
  OverlayId overlay;         // -1: it has no own values
  Constants own;
  std::vector<std::vector<float>> products;  // as Impl::steps_: of the domain's columns, and bias
  std::vector<float*> values;
  std::vector<const cpu::PackedWeights*> weights;
};

}  // namespace

class RowScorer::Impl {
 public:
  Impl(const Graph& graph, ParameterSpace& space, ValueId output, int64_t budget)
      : space_(space), domains_(budget) {
    Rewritten forward = rewriteForward(graph, {output}, /*dropout=*/false, /*fuse=*/true,
                                       [](const std::string&) { return false; });
    graph_ = std::move(forward.graph);
    output_ = forward.kept[0];
    findValues();
    findSteps();
    placeValues();
  }

  float score(const Program::Run& run, uint64_t version) {
    if (version_ != version) forget(version);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      viewOf(inputs_[i]).data = const_cast<void*>(run.inputs[i].data);
    }
    Domain& domain = domainOf(run);
    const RunContext context{*run.pool};
    for (size_t s = 0; s < steps_.size(); ++s) {
      Step& step = steps_[s];
      if (step.weights != kNone) {
        multiply(step, domain, s);
      } else {
        compute(context, step, domain.overlay);
      }
    }
    return *viewOf(output_).f32();
  }

  int64_t keptBytes() const { return domains_.bytes(); }

 private:
  static constexpr int kNone = -1;

  // Weights [out, columns] of a value: its last dimension's columns from `first` on.
  struct Packed {
    ValueId value;
    int64_t first, columns;
  };
  struct Step {
    ValueId value;
    std::vector<TensorView> inputs;  // data is bound when it runs
    std::vector<int> regions;        // see lookupRegions()
    // Of a linear layer with constant weights:
    int weights = kNone;        // in packed_
    int sharedWeights = kNone;  // the same of the columns that the domain alone decides
    ValueId bias = kNoValue;
    bool relu = false;
  };

  const TensorView& viewOf(ValueId value) const { return views_[static_cast<size_t>(value)]; }
  TensorView& viewOf(ValueId value) { return views_[static_cast<size_t>(value)]; }
  bool constant(ValueId value) const { return constant_[static_cast<size_t>(value)]; }
  int parameterOf(ValueId value) const { return parameters_[static_cast<size_t>(value)]; }
  bool isTable(ValueId value) const {
    return parameterOf(value) != kNone &&
           space_.parameter(parameterOf(value)).kind == ParameterKind::kTable;
  }

  void findValues() {
    const auto count = static_cast<size_t>(graph_.size());
    views_.resize(count);
    constant_.assign(count, false);
    parameters_.assign(count, kNone);
    for (ValueId v = 0; v < graph_.size(); ++v) {
      const auto at = static_cast<size_t>(v);
      const Node& node = graph_[v];
      TensorView& view = views_[at];
      view.type = node.type.type;
      view.shape = node.type.shape;
      const bool rows = !view.shape.empty() && view.shape[0] == kRows;
      if (rows) view.shape[0] = 1;
      view.rowStride = view.rowSize();
      switch (node.kind) {
        case NodeKind::kInput:
          inputs_.push_back(v);
          constant_[at] = node.type.type == DType::kInt32 && (!rows || node.name == kDomainInput);
          if (constant_[at]) namesDomain_.push_back(v);
          break;
        case NodeKind::kParameter:
          parameters_[at] = space_.find(node.name);
          constant_[at] = true;
          if (isTable(v)) view.data = space_.data(parameters_[at]);
          break;
        case NodeKind::kOp:
          constant_[at] = std::ranges::all_of(node.inputs, [&](ValueId i) { return constant(i); });
          break;
      }
    }
  }

  Step stepOf(ValueId value) const {
    const Node& node = graph_[value];
    Step step{value, {}, lookupRegions(graph_, space_, value)};
    for (const ValueId input : node.inputs) step.inputs.push_back(viewOf(input));
    return step;
  }

  void findSteps() {
    for (ValueId v = 0; v < graph_.size(); ++v) {
      const Node& node = graph_[v];
      if (node.kind != NodeKind::kOp || node.op->cpu == nullptr || constant(v)) continue;
      Step step = stepOf(v);
      const bool grouped = node.op->name == "grouped_linear";
      if ((grouped || node.op->name == "linear") && constant(node.inputs[1])) {
        layer(grouped, step);
      } else {
        for (const ValueId input : node.inputs) keep(input);
      }
      steps_.push_back(std::move(step));
    }
    if (constant(output_)) keep(output_);
  }

  void layer(bool grouped, Step& step) {
    const Node& node = graph_[step.value];
    const ValueId weight = node.inputs[1];
    const int64_t in = viewOf(weight).shape[1];
    const int64_t shared = grouped ? node.attributes.get<int64_t>("shared") : 0;
    step.relu = node.attributes.get<bool>("relu", false);
    if (node.inputs.size() > (grouped ? 3 : 2)) step.bias = node.inputs[2];
    step.weights = pack({weight, 0, in - shared});
    if (grouped) step.sharedWeights = pack({weight, in - shared, shared});
    keep(node.inputs[0]);
    if (step.bias != kNoValue) keep(step.bias);
  }

  int pack(Packed packed) {
    packed_.push_back(packed);
    return static_cast<int>(packed_.size()) - 1;
  }

  // Steps read the value itself, if it is a constant that is computed.
  void keep(ValueId value) {
    const bool made = constant(value) && !isTable(value) && graph_[value].kind != NodeKind::kInput;
    if (!made || std::ranges::count(keptValues_, value) > 0) return;
    keptValues_.push_back(value);
  }

  void placeValues() {
    const MemoryPlan plan = planMemory(graph_, constant_, {output_}, 1);
    scratch_.resize(static_cast<size_t>(plan.floats));
    for (ValueId v = 0; v < graph_.size(); ++v) {
      const int64_t offset = plan.offsets[static_cast<size_t>(v)];
      if (offset != MemoryPlan::kElsewhere) viewOf(v).data = scratch_.data() + offset;
    }
  }

  // --- What is kept -----------------------------------------------------------------------------

  void forget(uint64_t version) {
    version_ = version;
    current_ = nullptr;
    domains_.clear();
    shared_ = {};
    shared_.values.resize(keptValues_.size());
    shared_.weights.resize(packed_.size());
  }

  // What is kept of the run's domain, whose values the views then read.
  Domain& domainOf(const Program::Run& run) {
    key_.assign(1, run.overlay);
    for (const ValueId input : namesDomain_) {
      const TensorView& ids = viewOf(input);
      key_.insert(key_.end(), ids.i32(), ids.i32() + ids.size());
    }
    if (current_ != nullptr && current_->key == key_) return *current_;
    current_ = nullptr;
    Domain* domain = domains_.find(key_);
    if (domain == nullptr) domain = add(*run.pool, run.overlay);
    for (size_t i = 0; i < keptValues_.size(); ++i) {
      viewOf(keptValues_[i]).data = domain->values[i];
    }
    current_ = domain;
    return *domain;
  }

  Domain* add(ThreadPool& pool, OverlayId overlay) {
    Domain domain;
    domain.key = key_;
    domain.overlay = overlay >= 0 && space_.hasOverlay(overlay) ? overlay : -1;
    domain.own.values.resize(keptValues_.size());
    domain.own.weights.resize(packed_.size());
    domain.products.resize(steps_.size());
    fill(pool, domain);
    const int64_t bytes = domain.own.bytes;
    return domains_.add(key_, std::move(domain), bytes);
  }

  // Computes constants, and what they are made of, as they are asked for.
  struct Computation {
    ThreadPool& pool;
    OverlayId overlay;
    const float* slab;
    std::vector<bool> done;
    std::vector<std::vector<float>> memory;
  };

  void fill(ThreadPool& pool, Domain& domain) {
    const auto count = static_cast<size_t>(graph_.size());
    std::vector<float> slab;
    Computation computation{pool, domain.overlay, space_.region(0), std::vector<bool>(count),
                            std::vector<std::vector<float>>(count)};
    if (domain.overlay >= 0) {
      slab.resize(static_cast<size_t>(space_.unitCount(0) * kDenseBlock));
      space_.gatherDense(domain.overlay, slab.data());
      computation.slab = slab.data();
    }
    const std::vector<bool> own = ownValues(domain.overlay);
    for (size_t i = 0; i < keptValues_.size(); ++i) {
      const ValueId v = keptValues_[i];
      Constants& constants = own[static_cast<size_t>(v)] ? domain.own : shared_;
      std::vector<float>& kept = constants.values[i];
      if (kept.empty()) {
        const float* from = valueOf(computation, v);
        kept.assign(from, from + viewOf(v).size());
        constants.bytes += static_cast<int64_t>(kept.size() * sizeof(float));
      }
      domain.values.push_back(kept.data());
    }
    for (size_t i = 0; i < packed_.size(); ++i) {
      const auto [v, first, columns] = packed_[i];
      Constants& constants = own[static_cast<size_t>(v)] ? domain.own : shared_;
      std::unique_ptr<cpu::PackedWeights>& kept = constants.weights[i];
      if (!kept) {
        const Shape& shape = viewOf(v).shape;
        kept = std::make_unique<cpu::PackedWeights>(valueOf(computation, v) + first, shape[0],
                                                    columns, shape[1]);
        constants.bytes += kept->bytes();
      }
      domain.weights.push_back(kept.get());
    }
    for (const Step& step : steps_) {
      if (step.sharedWeights == kNone) continue;
      domain.own.bytes += domain.weights[static_cast<size_t>(step.sharedWeights)]->out() *
                          static_cast<int64_t>(sizeof(float));
    }
  }

  // Which values are the domain's and not the shared ones.
  std::vector<bool> ownValues(OverlayId overlay) const {
    std::vector<bool> own(static_cast<size_t>(graph_.size()), false);
    for (ValueId v = 0; v < graph_.size(); ++v) {
      const Node& node = graph_[v];
      const auto at = static_cast<size_t>(v);
      switch (node.kind) {
        case NodeKind::kInput:
          own[at] = true;
          break;
        case NodeKind::kParameter:
          own[at] = overlay >= 0 && space_.owns(overlay, parameterOf(v));
          break;
        case NodeKind::kOp:
          own[at] = std::ranges::any_of(node.inputs,
                                        [&](ValueId i) { return own[static_cast<size_t>(i)]; });
          break;
      }
    }
    return own;
  }

  const float* valueOf(Computation& computation, ValueId v) {
    const auto at = static_cast<size_t>(v);
    const Node& node = graph_[v];
    TensorView& view = viewOf(v);
    if (node.kind == NodeKind::kParameter && !isTable(v)) {
      view.data =
          const_cast<float*>(computation.slab) + space_.firstUnitOf(parameterOf(v)) * kDenseBlock;
    }
    if (node.kind == NodeKind::kOp && !computation.done[at]) {
      for (const ValueId input : node.inputs) valueOf(computation, input);
      computation.memory[at].resize(static_cast<size_t>(view.size()));
      view.data = computation.memory[at].data();
      Step step = stepOf(v);
      compute({computation.pool}, step, computation.overlay);
    }
    computation.done[at] = true;
    return view.f32();
  }

  // --- Steps ------------------------------------------------------------------------------------

  void compute(const RunContext& context, Step& step, OverlayId overlay) {
    const Node& node = graph_[step.value];
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      step.inputs[i].data = viewOf(node.inputs[i]).data;
    }
    if (overlay >= 0 && !step.regions.empty()) {
      lookupEffective(space_, overlay, context.pool, node, step.regions, step.inputs,
                      viewOf(step.value));
    } else {
      node.op->cpu(context, node.attributes, step.inputs, viewOf(step.value));
    }
  }

  void multiply(const Step& step, Domain& domain, size_t s) {
    const cpu::PackedWeights& weights = *domain.weights[static_cast<size_t>(step.weights)];
    const TensorView& output = viewOf(step.value);
    const float* x = viewOf(graph_[step.value].inputs[0]).f32();
    const float* bias = step.bias == kNoValue ? nullptr : viewOf(step.bias).f32();
    if (step.sharedWeights != kNone) {
      std::vector<float>& product = domain.products[s];
      if (product.empty()) {
        product.resize(static_cast<size_t>(weights.out()));
        domain.weights[static_cast<size_t>(step.sharedWeights)]->multiply(
            x + packed_[static_cast<size_t>(step.weights)].columns, 1, bias, false, product.data());
      }
      bias = product.data();
    }
    weights.multiply(x, output.size() / weights.out(), bias, step.relu, output.f32());
  }

  ParameterSpace& space_;
  Graph graph_;
  ValueId output_ = kNoValue;
  std::vector<TensorView> views_;
  std::vector<bool> constant_;   // whether a value depends on parameters and the domain alone
  std::vector<int> parameters_;  // by value; kNone: not one
  std::vector<ValueId> inputs_;
  std::vector<ValueId> namesDomain_;  // those that are the same in all rows of a domain
  std::vector<Step> steps_;           // of what depends on the row
  std::vector<ValueId> keptValues_;   // constants that steps read
  std::vector<Packed> packed_;
  std::vector<float> scratch_;

  std::optional<uint64_t> version_;
  Constants shared_;
  RecentlyUsed<std::vector<int32_t>, Domain> domains_;
  Domain* current_ = nullptr;  // whose values the views read
  std::vector<int32_t> key_;   // of the run; kept between calls, so that they allocate nothing
};

RowScorer::RowScorer(const Graph& graph, ParameterSpace& space, ValueId output, int64_t budget)
    : impl_(std::make_unique<Impl>(graph, space, output, budget)) {}
RowScorer::~RowScorer() = default;
float RowScorer::score(const Program::Run& run, uint64_t version) {
  return impl_->score(run, version);
}
int64_t RowScorer::keptBytes() const { return impl_->keptBytes(); }

}  // namespace polydomain
