"""The studio: where accepted sellers list prompts, see sales and statements, and answer reviews. Views only.

They may call use cases of every app, as views do; what they decide is whose rows they start from: `request.seller`.
"""
