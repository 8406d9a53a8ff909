#include <gtest/gtest.h>

#include "cpu/embedding.h"
#include "cuda_device.h"

namespace polydomain {
namespace {

constexpr int64_t kTableRows = 200;
const std::vector<int64_t> kDims = {1, 3, 16, 128, 130};

// Ids that repeat; one of them stands at every fifth place.
std::vector<int32_t> repeatedIds(int64_t count, uint64_t sequence) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  const std::vector<float> random = randomFloats(count, sequence);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<int32_t>((random[i] + 1.0f) / 2.0f * kTableRows);
    ids[i] = i % 5 == 0 ? 17 : id;
  }
  return ids;
}

TEST(CudaEmbedding, GathersRowsIntoAFieldOfTheLayersInput) {
  const CudaStream stream;
  for (const int64_t dim : kDims) {
    for (const int64_t count : {0, 1, 7, 500}) {
      for (const int64_t before : {0, 4, 5}) {  // columns of other fields
        const std::vector<int32_t> ids = repeatedIds(count, 1);
        const std::vector<float> table = randomFloats(kTableRows * dim, 2);
        const int64_t stride = before + dim + 3;
        std::vector<float> expected = randomFloats(count * stride, 3);
        const CudaArray<float> rows(stream, table), out(stream, expected);
        const CudaArray<int32_t> places(stream, ids);
        float* field = count == 0 ? nullptr : out.data() + before;
        succeed(
            cudaApi().gatherRows(stream, rows.data(), {places.data(), count, dim}, field, stride));
        if (count > 0) cpu::gatherRows(table.data(), dim, ids, expected.data() + before, stride);
        EXPECT_EQ(out.read(), expected) << count << " rows of " << dim << " after " << before;
      }
    }
  }
}

TEST(CudaEmbedding, SumsRowsOfEqualIdsInTheirOrder) {
  const CudaStream stream;
  for (const int64_t dim : kDims) {
    for (const int64_t count : {0, 1, 40, 700}) {
      const std::vector<int32_t> first = repeatedIds(count, 1), second = repeatedIds(count / 2, 2);
      cpu::UniqueIds unique;
      unique.build(kTableRows, std::vector<cpu::IdList>{{first}, {second}});
      std::vector<PolydomainCudaPosition> positions;
      std::vector<int32_t> offsets = {0};
      for (int64_t u = 0; u < unique.size(); ++u) {
        for (const auto& [list, row] : unique.positions(u)) positions.push_back({list, row});
        offsets.push_back(static_cast<int32_t>(positions.size()));
      }
      const int64_t stride = dim + 4;
      const std::vector<float> gradient1 = randomFloats(count * stride, 3);
      const std::vector<float> gradient2 = randomFloats(count / 2 * dim, 4);
      std::vector<float> expected(static_cast<size_t>(unique.size() * dim), 7.0f);
      cpu::sumRows(
          unique,
          std::vector<cpu::RowGradient>{{gradient1.data(), stride}, {gradient2.data(), dim}}, dim,
          0, unique.size(), expected.data(), dim);

      const CudaArray<float> list1(stream, gradient1), list2(stream, gradient2);
      const CudaArray<PolydomainCudaPosition> places(stream, positions);
      const CudaArray<int32_t> borders(stream, offsets);
      const CudaArray<float> out(stream, std::vector<float>(expected.size(), 7.0f));
      const std::vector<PolydomainCudaList> lists = {{list1.data(), stride}, {list2.data(), dim}};
      succeed(cudaApi().sumRows(stream, lists.data(), 2, places.data(), borders.data(),
                                unique.size(), dim, out.data()));
      EXPECT_EQ(out.read(), expected) << count << " ids, " << dim << " columns";
    }
  }
}

// Ids that are in thousands of rows are summed in pieces, then the pieces, without positions.
TEST(CudaEmbedding, SumsRowsThemselves) {
  const CudaStream stream;
  const int64_t dim = 12;
  const std::vector<int32_t> offsets = {0, 3, 3, 20, 21};
  const std::vector<float> rows = randomFloats(21 * dim, 1);
  std::vector<float> expected(4 * dim, 0.0f);  // the second segment is empty
  for (size_t segment = 0; segment < 4; ++segment) {
    for (int32_t row = offsets[segment]; row < offsets[segment + 1]; ++row) {
      for (size_t c = 0; c < dim; ++c) {
        expected[segment * dim + c] += rows[static_cast<size_t>(row) * dim + c];
      }
    }
  }
  const CudaArray<float> list(stream, rows), out(stream, std::vector<float>(4 * dim, 7.0f));
  const CudaArray<int32_t> borders(stream, offsets);
  const PolydomainCudaList one{list.data(), dim};
  succeed(cudaApi().sumRows(stream, &one, 1, nullptr, borders.data(), 4, dim, out.data()));
  EXPECT_EQ(out.read(), expected);
}

TEST(CudaEmbedding, SaysThatThereAreTooManyLists) {
  const CudaStream stream;
  const std::vector<PolydomainCudaList> lists(POLYDOMAIN_CUDA_MAX_LISTS + 1);
  EXPECT_EQ(cudaApi().sumRows(stream, lists.data(), POLYDOMAIN_CUDA_MAX_LISTS + 1, nullptr, nullptr,
                              0, 4, nullptr),
            1);
  EXPECT_STREQ(cudaApi().lastError(), "sumRows: 65 lists; expected at most 64");
}

TEST(CudaEmbedding, PoolsBagsAsTheCpuDoes) {
  const CudaStream stream;
  for (const int64_t dim : {1, 3, 16}) {
    for (const int64_t width : {1, 4}) {
      const int64_t bags = 90;
      std::vector<int32_t> ids = repeatedIds(bags * width, 1);
      for (size_t i = 0; i < ids.size(); ++i) {
        if (i % 3 == 1 || i < 4) ids[i] = cpu::kNoId;  // the first bag is empty
      }
      const std::vector<float> table = randomFloats(kTableRows * dim, 2);
      const std::vector<float> gradient = randomFloats(bags * dim, 3);
      const CudaArray<float> rows(stream, table), in(stream, gradient);
      const CudaArray<int32_t> places(stream, ids);
      const PolydomainCudaRows own = {places.data(), bags, dim};
      for (const bool mean : {false, true}) {
        const int64_t stride = dim + 2;
        std::vector<float> expected(static_cast<size_t>(bags * stride), 7.0f);
        const CudaArray<float> out(stream, expected);
        cpu::poolRows(table.data(), dim, ids, width,
                      mean ? cpu::Pooling::kMean : cpu::Pooling::kSum, expected.data(), stride);
        succeed(cudaApi().poolRows(stream, rows.data(), own, width, mean, out.data(), stride));
        EXPECT_EQ(out.read(), expected) << dim << ", " << width << ", " << mean;
      }
      std::vector<float> expected(gradient.size());
      cpu::divideByBagSize(gradient.data(), dim, dim, ids, width, expected.data());
      const CudaArray<float> out(stream, std::vector<float>(expected.size(), 7.0f));
      succeed(cudaApi().divideByBagSize(stream, in.data(), own, width, out.data()));
      EXPECT_EQ(out.read(), expected) << dim << ", " << width;
    }
  }
}

}  // namespace
}  // namespace polydomain
