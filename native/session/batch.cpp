#include "batch.h"

#include <algorithm>

#include "polydomain/error.h"
#include "row_order.h"

namespace polydomain {

namespace {

using Kind = InputSource::Kind;

InputSource sourceOf(const std::string& name) {
  if (name == "domain") return {Kind::kDomain};
  if (name == "slot") return {Kind::kSlot};
  if (name == "label") return {Kind::kLabel};
  if (name.starts_with("feature:")) return {Kind::kFeature, std::stoul(name.substr(8))};
  throw Error(ErrorKind::kConfig,
              "program input '" + name + "'; expected domain, slot, label or feature:<index>");
}

const int32_t* idsOf(const SplitData& split, size_t feature) {
  if (feature < split.ids.size()) return split.ids[feature];
  throw Error(ErrorKind::kConfig, "feature " + std::to_string(feature) + " is unknown; there are " +
                                      std::to_string(split.ids.size()));
}

// to[r] = from[base + order[r]].
template <typename Value>
const Value* copyRows(const Value* from, int64_t base, std::span<const int32_t> order,
                      std::vector<Value>& to) {
  to.resize(order.size());
  for (size_t r = 0; r < order.size(); ++r) to[r] = from[base + order[r]];
  return to.data();
}

}  // namespace

BoundProgram::BoundProgram(const Graph& graph, ParameterSpace& space, ProgramOptions options)
    : program(std::make_unique<Program>(graph, space, std::move(options))) {
  for (const std::string& name : program->inputNames()) sources.push_back(sourceOf(name));
}

void BoundProgram::check(const SplitData& split) const {
  for (size_t input = 0; input < sources.size(); ++input) {
    switch (sources[input].kind) {
      case Kind::kFeature:
        program->checkIds(input, idsOf(split, sources[input].feature), split.rows);
        break;
      case Kind::kDomain:
      case Kind::kSlot: {
        const auto last = static_cast<int32_t>(split.domainOffsets.size()) - 2;
        program->checkIds(input, &last, 1);
        break;
      }
      case Kind::kLabel:
        break;
    }
  }
}

bool BoundProgram::readsSlot() const {
  return std::ranges::any_of(sources, [](const auto& from) { return from.kind == Kind::kSlot; });
}

void Batch::gather(const BoundProgram& bound, const SplitData& split, int64_t base,
                   std::span<const int32_t> order, int32_t domain, Program::Run& run) {
  run.rows = static_cast<int64_t>(order.size());
  run.inputs.clear();
  idColumns_.resize(split.ids.size());
  for (const auto& [kind, feature] : bound.sources) {
    switch (kind) {
      case Kind::kFeature:
        run.inputs.push_back({copyRows(idsOf(split, feature), base, order, idColumns_[feature])});
        break;
      case Kind::kDomain:
        run.inputs.push_back(
            {domain == kMixed ? domainsOf(split, order) : domainColumn(domain, run.rows)});
        break;
      case Kind::kSlot:
        run.inputs.push_back({slotOf(domain)});
        break;
      case Kind::kLabel:
        run.inputs.push_back({copyRows(split.labels, base, order, labels_)});
        break;
    }
  }
}

void Batch::view(const BoundProgram& bound, const SplitData& split, int64_t first, int32_t domain,
                 Program::Run& run) {
  run.inputs.clear();
  for (const auto& [kind, feature] : bound.sources) {
    switch (kind) {
      case Kind::kFeature:
        run.inputs.push_back({idsOf(split, feature) + first});
        break;
      case Kind::kDomain:
        run.inputs.push_back({domainColumn(domain, run.rows)});
        break;
      case Kind::kSlot:
        run.inputs.push_back({slotOf(domain)});
        break;
      case Kind::kLabel:
        run.inputs.push_back({split.labels + first});
        break;
    }
  }
}

const int32_t* Batch::slotOf(int32_t domain) {
  slot_ = sharedSlot_ >= 0 ? sharedSlot_ : domain;
  return &slot_;
}

// A column that names the domain of each of the split's rows `order`.
const int32_t* Batch::domainsOf(const SplitData& split, std::span<const int32_t> order) {
  domains_.resize(order.size());
  for (size_t r = 0; r < order.size(); ++r) domains_[r] = domainOfRow(split, order[r]);
  uniform_ = kMixed;
  return domains_.data();
}

// A column that names the domain in every row.
const int32_t* Batch::domainColumn(int32_t domain, int64_t rows) {
  if (domains_.size() < static_cast<size_t>(rows) || uniform_ != domain) {
    domains_.assign(static_cast<size_t>(rows), domain);
    uniform_ = domain;
  }
  return domains_.data();
}

}  // namespace polydomain
