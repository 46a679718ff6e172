// SPDX-License-Identifier: Apache-2.0
//
// The contract of store/store.h as tests, the same for every datastore. A datastore joins in with
// a Place and one line:
//
//   INSTANTIATE_TEST_SUITE_P(Local, Conformance,
//                            testing::Values(PlaceMaker{"local", &local_place}));
//
// in a program that lists conformance*.cc among its sources. The documents at the end are in
// conformance.cc, for programs that test something else.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "store/store.h"

namespace tortie::store {

// One empty datastore, gone with everything in it in the destructor.
class Place {
public:
    Place() = default;
    virtual ~Place() = default;
    Place(const Place &) = delete;
    Place &operator=(const Place &) = delete;
    Place(Place &&) = delete;
    Place &operator=(Place &&) = delete;

    // A further client of the same data. Called in child processes, too.
    virtual std::unique_ptr<Store> open() = 0;

    // Puts a text that no document can be read from where `key` is looked for. False: this
    // datastore takes no such thing.
    virtual bool spoil(const Key &key) = 0;

    virtual bool reaches_other_processes() const { return true; }
};

// nullptr, with the reason in `missing`, where such a datastore cannot be had.
struct PlaceMaker {
    const char *name;  // in the names of the tests
    std::unique_ptr<Place> (*make)(std::string &missing);

    friend void PrintTo(const PlaceMaker &maker, std::ostream *out) { *out << maker.name; }
};

class Conformance : public testing::TestWithParam<PlaceMaker> {
protected:
    void SetUp() override;

    static Deadline soon() { return Deadline::in(std::chrono::seconds(20)); }

    Written commit(const std::vector<Write> &writes);
    Result<Revision> create(const Document &document);
    Result<Revision> update(const Document &document, const Revision &expected);
    Result<Revision> remove(const Document &document, const Revision &expected);

    template <class T>
    Result<Held<T>> read(const Key &key)
    {
        return get<T>(*store_, key, soon());
    }

    std::unique_ptr<Place> place_;
    std::unique_ptr<Store> store_;
};

// Documents to write.
Cidr network(const std::string &text);
Block block(const std::string &network_text);
Affinity affinity(const std::string &host, const std::string &network_text);
Handle handle(const std::string &id);

}  // namespace tortie::store
