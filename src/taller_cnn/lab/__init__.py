"""The lab: a page to draw, look inside, train and compare, and its HTTP API.

    lab = Lab.in_folder(workdir, data_dir)
    serve(create_app(lab), lab, listen("127.0.0.1", 8000, or_any=True), stop, ready)

- `model_store`, `weights`: models as the page reads them, and those that were kept.
- `predicting`, `arrays`: the network for other programs, many requests at once.
- `runs`, `worker`, `worker_protocol`, `history`: trainings in a process of their own.
- `gallery`, `readings`, `study_files`: real digits, mistakes, pictures, the study.
- `security`, `problems`, `schemas`: who gets in, what is refused, what goes over the wire.
- `app`, the `routes`, `page`, `api_docs`, `server`: HTTP. `bundle`, `export`: the page as one file.

The page itself is in ``static/``: plain ES modules that a browser runs as they are.
"""
