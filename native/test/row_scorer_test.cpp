#include "polydomain/row_scorer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "levels.h"
#include "mlp.h"

namespace polydomain {
namespace {

constexpr int64_t kRowCount = 40;
constexpr ParameterKind kTable = ParameterKind::kTable, kDense = ParameterKind::kDense;

// Besides an MLP whose last layer is a bank's slot: layers over a bag, the first one's weight a
// shared one times a slot's, and what the domain alone decides.
struct Ranker {
  static std::vector<ParameterSpec> parameters() {
    std::vector<ParameterSpec> all = mlp::parameters();
    const Initializer normal{InitKind::kNormal, 0.1f, 0.6f};
    all.push_back({"tags", kTable, {30, 7}, normal});
    all.push_back({"tags.weight", kDense, {19, 7}, normal});
    all.push_back({"tags.scale", kTable, {mlp::kDomains, 19 * 7}, normal});
    all.push_back({"tags.middle", kDense, {33, 19}, normal});
    all.push_back({"tags.output", kDense, {1, 33}, normal});
    all.push_back({"domain.weight", kDense, {1, 3}, normal});
    return all;
  }

  Ranker() : model(mlp::build(0.7, {}, /*bank=*/true)) {
    Graph& graph = model.graph;
    const auto parameter = [&](const std::string& name) {
      const auto all = parameters();
      const auto spec = std::ranges::find(all, name, &ParameterSpec::name);
      return graph.parameter(name, {DType::kFloat32, spec->shape});
    };
    const auto input = [&](const std::string& name) {
      for (ValueId v = 0; v < graph.size(); ++v) {
        if (graph[v].kind == NodeKind::kInput && graph[v].name == name) return v;
      }
      return kNoValue;
    };
    const ValueId ids = graph.input("tags", {DType::kInt32, {kRows, 4}});
    const ValueId bag =
        graph.add("embedding_bag", {parameter("tags"), ids}, {{"pooling", std::string("mean")}});
    const ValueId slot = graph.add("embedding", {parameter("tags.scale"), input("slot")});
    const ValueId scale = graph.add("reshape", {slot}, {{"shape", std::vector<int64_t>{19, 7}}});
    const ValueId weight = graph.add("mul", {parameter("tags.weight"), scale});
    const ValueId hidden = graph.add("relu", {graph.add("linear", {bag, weight})});
    const ValueId middle = graph.add("linear", {hidden, parameter("tags.middle")});
    const ValueId tags = graph.add("linear", {middle, parameter("tags.output")});
    const ValueId domain =
        graph.add("embedding", {parameter("embedding.domain"), input(kDomainInput)});
    const ValueId bias = graph.add("linear", {domain, parameter("domain.weight")});
    model.output = graph.add("add", {graph.add("add", {model.output, tags}), bias});
  }
  mlp::Model model;
};

// Rows of one domain, scored by a program in one batch and one by one.
class Rows : public testing::Test {
 protected:
  Rows() {
    ProgramOptions options;
    options.output = ranker_.model.output;
    program_ = std::make_unique<Program>(ranker_.model.graph, space_, options);
    for (int32_t& tag : tags_) tag -= 1;  // some of them none
  }

  std::vector<InputColumn> inputs(int32_t domain, int64_t row) {
    domains_.assign(kRowCount, domain);
    std::vector<InputColumn> columns;
    for (const std::string& name : program_->inputNames()) {
      if (name == "feature:0") columns.push_back({users_.data() + row});
      if (name == "feature:1") columns.push_back({items_.data() + row});
      if (name == "tags") columns.push_back({tags_.data() + 4 * row});
      if (name == "domain" || name == "slot") columns.push_back({domains_.data()});
    }
    return columns;
  }

  std::vector<float> inBatch(int32_t domain) {
    Program::Run run;
    run.pool = &pool_;
    run.rows = kRowCount;
    run.inputs = inputs(domain, 0);
    std::vector<float> slab(static_cast<size_t>(space_.unitCount(0) * kDenseBlock));
    if (space_.hasOverlay(domain)) {
      space_.gatherDense(domain, slab.data());
      run.dense = slab.data();
      run.overlay = domain;
    }
    program_->run(run);
    return {program_->output(), program_->output() + kRowCount};
  }

  std::vector<float> oneByOne(RowScorer& scorer, int32_t domain, uint64_t version) {
    std::vector<float> scores;
    for (int64_t row = 0; row < kRowCount; ++row) {
      Program::Run run;
      run.pool = &pool_;
      run.inputs = inputs(domain, row);
      run.overlay = domain;
      scores.push_back(scorer.score(run, version));
    }
    return scores;
  }

  // Gives domains 0 and 1 own values of some units of everything selected.
  void ownValues(const Selection& selection) {
    for (OverlayId domain = 0; domain < 2; ++domain) {
      for (int p = 0; p < space_.parameterCount(); ++p) {
        if (!selection[static_cast<size_t>(p)]) continue;
        const auto size = static_cast<size_t>(space_.unitSize(space_.regionOf(p)));
        for (uint32_t unit = 0; unit < space_.unitCountOf(p); unit += 1 + unit % 3) {
          std::vector<float> values(size);
          fillNormal({7, static_cast<uint64_t>(p), unit}, 0, static_cast<int64_t>(size), 0.4f, 0.3f,
                     values.data());
          space_.setOverlayUnit(domain, p, unit, values);
        }
      }
    }
  }

  void expectTheBitsOfTheBatch(RowScorer& scorer, uint64_t version, const std::string& what) {
    for (const int32_t domain : {0, 1, 2, 0}) {
      EXPECT_EQ(oneByOne(scorer, domain, version), inBatch(domain)) << what << ", " << domain;
    }
  }

  const Ranker ranker_;
  ParameterSpace space_{Ranker::parameters(), 5};
  ThreadPool pool_{2};
  std::unique_ptr<Program> program_;
  std::vector<int32_t> users_ = mlp::randomIds(kRowCount, mlp::kUsers, 1);
  std::vector<int32_t> items_ = mlp::randomIds(kRowCount, mlp::kItems, 2);
  std::vector<int32_t> tags_ = mlp::randomIds(4 * kRowCount, 31, 3);
  std::vector<int32_t> domains_;
};

TEST_F(Rows, HaveTheBitsOfTheBatchAtEveryLevel) {
  forEachLevel([&](const std::string& level) {
    RowScorer scorer(ranker_.model.graph, space_, ranker_.model.output);
    expectTheBitsOfTheBatch(scorer, 0, level);
  });
}

TEST_F(Rows, ReadADomainsOwnValues) {
  for (const Combine combine : {Combine::kPlus, Combine::kTimes, Combine::kReplace}) {
    for (const SpecificStart start : {SpecificStart::kNeutral, SpecificStart::kRandom}) {
      for (const std::string pattern : {"all", "layer1*", "embedding*", "tags.scale", "!layer0*"}) {
        const Selection selection = space_.select({pattern});
        space_.configureOverlays(combine, start, selection);
        ownValues(selection);
        forEachLevel([&](const std::string& level) {
          RowScorer scorer(ranker_.model.graph, space_, ranker_.model.output);
          expectTheBitsOfTheBatch(scorer, 0, pattern + ", " + level);
        });
        for (const OverlayId domain : space_.overlays()) space_.dropOverlay(domain);
      }
    }
  }
}

// Rows of a table beside rows of one that is computed, in one layer's input.
TEST(OwnRows, AreReadBesideATableThatIsComputed) {
  const Initializer normal{InitKind::kNormal, 0.0f, 0.5f};
  ParameterSpace space({{"table", kTable, {mlp::kItems, 8}, normal},
                        {"made", kDense, {mlp::kUsers, 4}, normal},
                        {"weight", kDense, {1, 12}, normal}},
                       5);
  Graph graph;
  const auto ids = [&](const std::string& name) {
    return graph.input(name, {DType::kInt32, {kRows}});
  };
  const auto parameter = [&](const std::string& name) {
    return graph.parameter(name, {DType::kFloat32, space.parameter(space.find(name)).shape});
  };
  const ValueId made = graph.add("relu", {parameter("made")});
  const ValueId fields =
      graph.add("concat", {graph.add("embedding", {parameter("table"), ids("a")}),
                           graph.add("embedding", {made, ids("b")})});
  ProgramOptions options;
  options.output = graph.add("linear", {fields, parameter("weight")});

  space.configureOverlays(Combine::kPlus, SpecificStart::kNeutral, space.select({"table"}));
  const std::vector<float> own(8, 3.0f);
  for (uint32_t row = 0; row < mlp::kItems; ++row) space.setOverlayUnit(0, 0, row, own);
  const float* weight = space.data(space.find("weight"));
  float change = 0.0f;
  for (int i = 0; i < 8; ++i) change += 3.0f * weight[i];

  const std::vector<int32_t> a = {0, 7, 39}, b = {59, 1, 0};
  ThreadPool pool(1);
  Program::Run run;
  run.pool = &pool;
  run.rows = std::ssize(a);
  run.inputs = {{a.data()}, {b.data()}};
  Program program(graph, space, options);
  program.run(run);
  const std::vector<float> shared(program.output(), program.output() + run.rows);
  run.overlay = 0;
  program.run(run);
  const std::vector<float> effective(program.output(), program.output() + run.rows);
  RowScorer scorer(graph, space, options.output);
  for (size_t row = 0; row < a.size(); ++row) {
    EXPECT_NEAR(effective[row], shared[row] + change, 1e-5f) << row;
    Program::Run one = run;
    one.inputs = {{&a[row]}, {&b[row]}};
    EXPECT_EQ(scorer.score(one, 0), effective[row]) << row;
  }
}

TEST_F(Rows, FollowWhatIsWrittenWithANewVersion) {
  space_.configureOverlays(Combine::kPlus, SpecificStart::kNeutral, space_.select({"all"}));
  RowScorer scorer(ranker_.model.graph, space_, ranker_.model.output);
  expectTheBitsOfTheBatch(scorer, 0, "at first");
  std::vector<float> before = oneByOne(scorer, 0, 0);
  for (int p = 0; p < space_.parameterCount(); ++p) {
    const std::string& name = space_.parameter(p).name;
    if (name == "output.weight" || name == "output.bias") continue;  // not the bank's model's
    const int64_t count = elementCount(space_.parameter(p).shape);
    for (int64_t i = 0; i < count; ++i) space_.data(p)[i] += 0.25f;
    expectTheBitsOfTheBatch(scorer, static_cast<uint64_t>(p) + 1, name);
    const std::vector<float> now = oneByOne(scorer, 0, static_cast<uint64_t>(p) + 1);
    EXPECT_NE(now, before) << name;
    before = now;
  }
  ownValues(space_.select({"layer0.weight"}));
  expectTheBitsOfTheBatch(scorer, 100, "own values");
  EXPECT_NE(oneByOne(scorer, 0, 100), before);
}

TEST_F(Rows, OfManyDomainsKeepNoMoreThanTheBudget) {
  space_.configureOverlays(Combine::kPlus, SpecificStart::kNeutral, space_.select({"all"}));
  ownValues(space_.select({"all"}));
  RowScorer roomy(ranker_.model.graph, space_, ranker_.model.output);
  oneByOne(roomy, 2, 0);
  const int64_t withoutOwn = roomy.keptBytes();
  oneByOne(roomy, 0, 0);
  const int64_t own = roomy.keptBytes() - withoutOwn;
  EXPECT_GT(own, 4 * withoutOwn);
  oneByOne(roomy, 1, 0);
  EXPECT_EQ(roomy.keptBytes(), withoutOwn + 2 * own);
  RowScorer tight(ranker_.model.graph, space_, ranker_.model.output, own + withoutOwn);
  for (int round = 0; round < 3; ++round) {
    expectTheBitsOfTheBatch(tight, 0, "round " + std::to_string(round));
    EXPECT_LE(tight.keptBytes(), own + withoutOwn);
  }
}

}  // namespace
}  // namespace polydomain
