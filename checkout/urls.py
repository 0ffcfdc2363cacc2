from django.urls import path

from checkout.views import carts, library, orders, payments, reviews, webhooks

app_name = "checkout"
urlpatterns = [
    path("cart/", carts.cart, name="cart"),
    path("cart/add/<str:slug>/", carts.cart_add, name="cart_add"),
    path("cart/remove/<str:slug>/", carts.cart_remove, name="cart_remove"),
    path("cart/restore/<str:slug>/", carts.cart_restore, name="cart_restore"),
    path("checkout/", orders.checkout, name="checkout"),
    path("orders/", orders.order_list, name="order_list"),
    path("orders/<str:number>/", orders.order_detail, name="order_detail"),
    path("orders/<str:number>/state/", orders.order_state, name="order_state"),
    path("orders/<str:number>/cancel/", orders.order_cancel, name="order_cancel"),
    path("orders/<str:number>/give-up/", orders.order_give_up, name="order_give_up"),
    path("orders/<str:number>/receipt/", orders.order_receipt, name="order_receipt"),
    path("orders/<str:number>/payment/", payments.payment_start, name="payment_start"),
    path("payments/webhook/", webhooks.payment_webhook, name="payment_webhook"),
    # Easily typed so in the provider's developer centre.
    path("payments/webhook", webhooks.payment_webhook, name="payment_webhook_without_slash"),
    path("payments/<str:reference>/", payments.payment_window, name="payment_window"),
    path("payments/<str:reference>/return/", payments.payment_return, name="payment_return"),
    path("payments/<str:reference>/fail/", payments.payment_fail, name="payment_fail"),
    path("sandbox/<str:reference>/", payments.sandbox_window, name="sandbox_window"),
    path("library/", library.library, name="library"),
    path("library/<str:slug>/", library.library_prompt, name="library_prompt"),
    path("library/<str:slug>/open/", library.library_open, name="library_open"),
    path("library/<str:slug>/cancel/", library.library_cancel, name="library_cancel"),
    path("library/<str:slug>/copied/", library.library_copied, name="library_copied"),
    path("library/<str:slug>/fill/", library.library_fill, name="library_fill"),
    path("library/<str:slug>/review/", reviews.review_edit, name="review_edit"),
    path("library/<str:slug>/review/delete/", reviews.review_delete, name="review_delete"),
    path("library/<str:slug>/text.<str:extension>", library.library_text, name="library_text"),
    path("library/<str:slug>/file/", library.library_file, name="library_file"),
]
