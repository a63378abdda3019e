"""Audits: can composites be told from real images, and does a network look at the cell?"""
