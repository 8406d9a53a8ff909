#include "objects.h"

namespace polydomain {

Napi::Function GraphObject::define(Napi::Env env) {
  return DefineClass(
      env, "Graph",
      {InstanceMethod("input", &GraphObject::input),
       InstanceMethod("parameter", &GraphObject::parameter),
       InstanceMethod("add", &GraphObject::add), InstanceMethod("node", &GraphObject::node),
       InstanceMethod("backward", &GraphObject::backward),
       InstanceAccessor("size", &GraphObject::size, nullptr)});
}

GraphObject::GraphObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GraphObject>(info) {}

ValueId GraphObject::valueAt(const Napi::Value& value) const {
  const auto id = static_cast<ValueId>(value.As<Napi::Number>().Int32Value());
  if (id >= 0 && id < graph_.size()) return id;
  throw Error(ErrorKind::kTrace, "value " + std::to_string(id) + " is not in this graph");
}

Napi::Value GraphObject::input(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const TensorType type{dtypeNamed(info[1].As<Napi::String>()), toShape(info[2])};
    return Napi::Number::New(info.Env(), graph_.input(info[0].As<Napi::String>(), type));
  });
}

Napi::Value GraphObject::parameter(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const TensorType type{DType::kFloat32, toShape(info[1])};
    return Napi::Number::New(info.Env(), graph_.parameter(info[0].As<Napi::String>(), type));
  });
}

Napi::Value GraphObject::add(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    std::vector<ValueId> inputs;
    for (const int64_t value : toShape(info[1])) inputs.push_back(static_cast<ValueId>(value));
    return Napi::Number::New(
        info.Env(), graph_.add(info[0].As<Napi::String>(), std::move(inputs),
                               toAttributes(info[2].As<Napi::Object>()),
                               info[3].IsString() ? std::string(info[3].As<Napi::String>()) : ""));
  });
}

Napi::Value GraphObject::node(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Env env = info.Env();
    const Node& node = graph_[valueAt(info[0])];
    Napi::Object object = Napi::Object::New(env);
    object.Set("kind", node.kind == NodeKind::kOp      ? "op"
                       : node.kind == NodeKind::kInput ? "input"
                                                       : "parameter");
    object.Set("op", node.op == nullptr ? "" : node.op->name);
    object.Set("name", node.name);
    object.Set("inputs", fromShape(env, Shape(node.inputs.begin(), node.inputs.end())));
    object.Set("attributes", fromAttributes(env, node.attributes));
    object.Set("shape", fromShape(env, node.type.shape));
    object.Set("dtype", nameOf(node.type.type));
    return object;
  });
}

Napi::Value GraphObject::size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), graph_.size());
}

Napi::Value GraphObject::backward(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    std::vector<ValueId> values;
    const auto wanted = info[1].As<Napi::Array>();
    for (uint32_t i = 0; i < wanted.Length(); ++i) values.push_back(valueAt(wanted.Get(i)));
    const std::vector<ValueId> gradients = appendBackward(graph_, valueAt(info[0]), values);
    return fromShape(info.Env(), Shape(gradients.begin(), gradients.end()));
  });
}

}  // namespace polydomain
