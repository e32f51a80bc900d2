/** Work that waits for the browser's next frame. */

const jobs = [];

/** Do `job` before the next frame is painted; what a job asks for in turn is done before the same. */
export function beforeFrame(job) {
  if (!jobs.length) requestAnimationFrame(doJobs);
  jobs.push(job);
}

function doJobs() {
  try {
    // The list grows while it is walked over.
    for (const job of jobs) job();
  } finally {
    jobs.length = 0;
  }
}
