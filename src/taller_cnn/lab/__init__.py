"""The lab: a page to draw, look inside, train and compare, and its HTTP API.

    lab = Lab.in_folder(workdir, data_dir)
    serve(create_app(lab), lab, listen("127.0.0.1", 8000, or_any=True), stop, ready)

- `weights`, `shelf`, `names`: models as the page reads them, and those that were kept.
- `predicting`, `predict_route`: the network for other programs, many requests at once.
- `runs`, `worker`, `wire`, `history`: trainings in a process of their own.
- `gallery`, `study_files`: real digits, mistakes, the study.
- `security`, `problems`, `schemas`: who gets in, what is refused, what goes over the wire.
- `app`, the `routes`, `page`, `api_docs`, `server`: HTTP. `bundle`, `export`: the page as one file.

The page itself is in ``static/``: plain ES modules that a browser runs as they are.
"""
