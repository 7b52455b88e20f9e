"""Shape gates by marshmallow: types, ranges, sizes. They never convert and never query; a body is passed on as sent."""
