"""The report: one HTML page with everything in it, which works without a network.

`contents` is what goes onto the page, `columns` and `growth` are what its scripts draw, `rendering` puts both
into the template. The libraries that draw stand in `assets/vendor`, fetched by `scripts/vendor.sh`.
"""
