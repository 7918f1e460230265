// A few threads that share out numbered pieces of work. Exceptions end in the status, never in the caller.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "status.h"

namespace vigil {

// Calls work(thread, piece) for each piece below `pieces`, on up to `threads` threads, the calling one included.
// The first status that is not ok stops the sharing out and is returned.
template <typename Work>
Status share_out(std::size_t pieces, unsigned threads, const Work& work) {
    std::atomic<std::size_t> next{0};
    std::atomic<int> worst{static_cast<int>(Status::ok)};
    const auto run = [&](unsigned thread) {
        try {
            for (;;) {
                const std::size_t piece = next.fetch_add(1);
                if (piece >= pieces || worst.load() != static_cast<int>(Status::ok)) return;
                const Status status = work(thread, piece);
                if (status != Status::ok) worst.store(static_cast<int>(status));
            }
        } catch (const std::bad_alloc&) {
            worst.store(static_cast<int>(Status::out_of_memory));
        }
    };
    std::vector<std::thread> others;
    try {
        for (unsigned thread = 1; thread < threads && thread < pieces; thread++) others.emplace_back(run, thread);
    } catch (const std::system_error&) {
        // No further thread to be had: the ones there are do all the work.
    } catch (const std::bad_alloc&) {
    }
    run(0);
    for (std::thread& other : others) other.join();
    return static_cast<Status>(worst.load());
}

}  // namespace vigil
