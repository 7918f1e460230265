from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "vigil.hotline.reviews"
    label = "reviews"
    verbose_name = "Reviews"
